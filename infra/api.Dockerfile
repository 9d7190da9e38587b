# The API. There is no build: Node strips the types of the TypeScript sources when it loads them.
# Build from the root of the repository: docker build -f infra/api.Dockerfile .

ARG NODE_VERSION=24.21.0
# Set it to "@sha256:…" to pin the base image; see infra/README.md.
ARG NODE_DIGEST=

FROM node:${NODE_VERSION}-slim${NODE_DIGEST} AS installed
WORKDIR /app
# npm ci verifies the hash of pnpm.
COPY infra/pnpm /opt/pnpm
RUN npm ci --prefix /opt/pnpm --ignore-scripts && ln -s /opt/pnpm/node_modules/@pnpm/exe.*/pnpm /usr/local/bin/pnpm
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml tsconfig.base.json LICENSE ./
COPY apps ./apps
COPY packages ./packages
# The console and the packages that users install are built first, because their build tools are not part of the API.
RUN pnpm install --frozen-lockfile --filter "@dari/console..." --filter "@dari/packaging..." \
  && NODE_ENV=production node apps/console/node_modules/vite/bin/vite.js build apps/console \
  && node packages/packaging/src/main.ts \
  && rm -rf node_modules apps/*/node_modules packages/*/node_modules
RUN pnpm install --frozen-lockfile --prod --filter "@dari/api..."

FROM node:${NODE_VERSION}-slim${NODE_DIGEST}
LABEL org.opencontainers.image.title=dari-api org.opencontainers.image.version=1.0.0 \
  org.opencontainers.image.licenses=Apache-2.0
WORKDIR /app
ENV NODE_ENV=production DARI_HOST=0.0.0.0 DARI_PORT=4870 DARI_HEALTH_PORT=4871
# Compiled modules, and two memory pools of glibc instead of one for each thread.
ENV NODE_COMPILE_CACHE=/home/node/compiled MALLOC_ARENA_MAX=2
COPY --from=installed --chown=root:root /app ./
COPY infra/healthcheck.mjs ./infra/healthcheck.mjs
USER node
# Without settings, the program ends after it has loaded its modules, and Node stores them compiled. With them, Node
# does not load its TypeScript parser. They are used by the user that stored them.
RUN node apps/api/src/main.ts || test -n "$(ls "$NODE_COMPILE_CACHE")"
EXPOSE 4870 4871
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["node", "infra/healthcheck.mjs", "DARI_PORT"]
CMD ["node", "apps/api/src/main.ts"]
