#!/bin/sh
# Stands in for the entrypoint of the postgres image: makes the cluster at the first start, then runs the command.
set -eu
export PGDATA=/var/lib/postgresql/18/docker
as_postgres="setpriv --reuid=postgres --regid=postgres --clear-groups"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chown -R postgres:postgres /var/lib/postgresql
  printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
  chown postgres /tmp/password
  $as_postgres initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8
  rm /tmp/password
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  echo "create database \"$POSTGRES_DB\"" | $as_postgres postgres --single postgres
fi
mkdir -p /var/run/postgresql
chown postgres:postgres /var/run/postgresql
exec $as_postgres "$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
