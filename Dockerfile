# Build: types checked and stripped by the compiler.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

# Run: what was built, and the packages that it needs.
FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts
COPY --from=build /app/dist ./dist

USER node
# Rackfire ends its tick and lets go of its lease on SIGTERM; traffic does not notice.
STOPSIGNAL SIGTERM
# Where http.listen of the config says otherwise, set this to match.
ENV RACKFIRE_HEALTH_URL=http://127.0.0.1:9500/healthz
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["node", "--eval", "fetch(process.env.RACKFIRE_HEALTH_URL).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/main.js"]
CMD ["run", "-c", "/etc/rackfire/rackfire.yaml"]
