# The worker, with Python for agents, and bubblewrap, which runs each turn in its own sandbox.
# There is no build: Node strips the types of the TypeScript sources when it loads them.
# Build from the root of the repository: docker build -f infra/worker.Dockerfile .

ARG NODE_VERSION=24.21.0
# Set it to "@sha256:…" to pin the base image; see infra/README.md.
ARG NODE_DIGEST=

FROM node:${NODE_VERSION}-slim${NODE_DIGEST} AS installed
WORKDIR /app
# npm ci verifies the hash of pnpm.
COPY infra/pnpm /opt/pnpm
RUN npm ci --prefix /opt/pnpm --ignore-scripts && ln -s /opt/pnpm/node_modules/@pnpm/exe.*/pnpm /usr/local/bin/pnpm
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY apps ./apps
COPY packages ./packages
RUN pnpm install --frozen-lockfile --prod --filter "@dari/worker..."

FROM node:${NODE_VERSION}-slim${NODE_DIGEST}
LABEL org.opencontainers.image.title=dari-worker org.opencontainers.image.version=1.0.0 \
  org.opencontainers.image.licenses=Apache-2.0
RUN apt-get update \
  && apt-get install -y --no-install-recommends bubblewrap ca-certificates python3 python3-venv uidmap \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production DARI_HEALTH_PORT=4871 DARI_WORK_DIR=/var/lib/dari-worker
# Compiled modules, and two memory pools of glibc instead of one for each thread.
ENV NODE_COMPILE_CACHE=/home/node/compiled MALLOC_ARENA_MAX=2
COPY --from=installed --chown=root:root /app ./
COPY infra/healthcheck.mjs ./infra/healthcheck.mjs
# The range must be below 65,536, because a pod's user namespace maps no higher ids.
RUN echo node:20000:4096 | tee /etc/subuid > /etc/subgid
RUN mkdir -p /var/lib/dari-worker && chown node:node /var/lib/dari-worker
VOLUME /var/lib/dari-worker
USER node
# Without settings, the program ends after it has loaded its modules, and Node stores them compiled. With them, Node
# does not load its TypeScript parser. They are used by the user that stored them.
RUN node apps/worker/src/main.ts || test -n "$(ls "$NODE_COMPILE_CACHE")"
EXPOSE 4871
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["node", "infra/healthcheck.mjs", "DARI_HEALTH_PORT"]
CMD ["node", "apps/worker/src/main.ts"]
