/** The part of `/v2` and `/v3` that Rackfire uses. */

import type { Context, Hono } from 'hono';
import { ApiError, missingServer } from './api-error.ts';
import type { Configuration, Edition } from './configuration.ts';
import type { Generation } from './generation.ts';
import type { Reloads } from './reloads.ts';
import type { RuntimeApi } from './runtime-api.ts';
import { changeAtRuntime } from './runtime-change.ts';
import { parseJson, parseServerBody, requireOneOf } from './server-fields.ts';

export interface Parts {
  readonly generation: Generation;
  readonly configuration: Configuration;
  readonly reloads: Reloads;
  readonly runtime: RuntimeApi;
}

/** Both generations have the same routes but for where a server's backend is said, and what wraps an answer. */
export function addRoutes(app: Hono, parts: Parts): void {
  const root = `/${parts.generation.name}`;
  addProcessRoutes(app, root, parts);
  addConfigurationRoutes(app, `${root}/services/haproxy/configuration`, parts);
  addTransactionRoutes(app, `${root}/services/haproxy/transactions`, parts);
  addReloadRoutes(app, `${root}/services/haproxy/reloads`, parts);
  addRuntimeRoutes(app, `${root}/services/haproxy`, parts);
  app.notFound((context) => {
    throw new ApiError(404, `path ${context.req.path} was not found`);
  });
}

function addProcessRoutes(app: Hono, root: string, { generation }: Parts): void {
  app.get(`${root}/info`, (context) =>
    context.json({
      api: { build_date: '0001-01-01T00:00:00.000Z', version: ' stand-in' },
      system: {},
    }),
  );
  // Only a status command or a service manager would let the daemon know more.
  app.get(`${root}/health`, (context) => context.json({ haproxy: 'unknown' }));
  app.get(`${root}/specification_openapiv3`, (context) => context.json(generation.specification));
}

function addConfigurationRoutes(app: Hono, root: string, parts: Parts): void {
  const { generation, configuration } = parts;
  const servers = `${root}${generation.serversPath}`;
  const show = (value: unknown): object => generation.wrap(value, configuration.version);

  app.get(`${root}/version`, (context) => context.json(configuration.version));
  // Not recorded: as both descriptions have it.
  app.get(`${root}/raw`, (context) => {
    const text = configuration.read(transactionOf(context)).render();
    return generation.name === 'v2' ? context.json(show(text)) : context.text(text);
  });
  app.get(`${root}/backends/:backend`, (context) => {
    const backend = context.req.param('backend');
    const description = configuration.read(transactionOf(context)).describeBackend(backend);
    if (description === undefined) {
      throw new ApiError(404, `missing object: backend ${backend} does not exist`);
    }
    return context.json(show(description));
  });
  app.get(servers, (context) =>
    context.json(show(configuration.read(transactionOf(context)).servers(backendOf(context)))),
  );
  app.get(`${servers}/:name`, (context) => {
    const [backend, name] = [backendOf(context), context.req.param('name') ?? ''];
    const server = configuration.read(transactionOf(context)).findServer(backend, name);
    if (server === undefined) {
      throw missingServer(name, backend);
    }
    return context.json(show(server));
  });
  addServer(app, servers, parts);
  replaceServer(app, servers, parts);
  removeServer(app, servers, parts);
}

function addServer(app: Hono, servers: string, { configuration, reloads }: Parts): void {
  app.post(servers, async (context) => {
    const backend = backendOf(context);
    const fields = parseServerBody(await context.req.text());
    const edition = editionOf(context);
    await configuration.edit(edition, (file) => {
      if (file.findServer(backend, String(fields['name'])) !== undefined) {
        throw new ApiError(
          409,
          `object already exists: server ${fields['name']} already exists in ${backend} backend`,
        );
      }
      if (!file.hasBackend(backend)) {
        throw new ApiError(400, `missing parent: backend ${backend} does not exist`);
      }
      file.addServer(backend, fields);
    });
    if (edition.transactionId === undefined && isForced(context)) {
      await reloads.force();
      return context.json(fields, 201);
    }
    return context.json(fields, 202, reloadHeader(edition, reloads));
  });
}

function replaceServer(app: Hono, servers: string, parts: Parts): void {
  const { configuration, reloads, runtime } = parts;
  app.put(`${servers}/:name`, async (context) => {
    const [backend, name] = [backendOf(context), context.req.param('name') ?? ''];
    const fields = parseServerBody(await context.req.text());
    const edition = editionOf(context);
    const before = configuration.read(edition.transactionId).findServer(backend, name);
    if (before === undefined) {
      throw missingServer(name, backend);
    }
    await configuration.edit(edition, (file) => file.replaceServer(backend, name, fields));
    if (edition.transactionId !== undefined) {
      return context.json(fields, 202);
    }
    if (!(await changeAtRuntime(runtime, backend, before, fields))) {
      return context.json(fields, 200);
    }
    if (isForced(context)) {
      await reloads.force();
      return context.json(fields, 200);
    }
    return context.json(fields, 202, reloadHeader(edition, reloads));
  });
}

function removeServer(app: Hono, servers: string, { configuration, reloads }: Parts): void {
  app.delete(`${servers}/:name`, async (context) => {
    const [backend, name] = [backendOf(context), context.req.param('name') ?? ''];
    const edition = editionOf(context);
    await configuration.edit(edition, (file) => {
      if (file.findServer(backend, name) === undefined) {
        throw missingServer(name, backend);
      }
      file.removeServer(backend, name);
    });
    if (edition.transactionId === undefined && isForced(context)) {
      await reloads.force();
      return context.body(null, 204);
    }
    return context.body(null, 202, reloadHeader(edition, reloads));
  });
}

function addTransactionRoutes(app: Hono, root: string, { configuration, reloads }: Parts): void {
  app.get(root, async (context) =>
    context.json(await configuration.listTransactions(context.req.query('status'))),
  );
  app.post(root, async (context) => {
    const { version } = editionOf(context);
    if (version === undefined) {
      throw new ApiError(422, 'version in query is required', 602);
    }
    return context.json(await configuration.startTransaction(version), 201);
  });
  app.get(`${root}/:id`, async (context) =>
    context.json(await configuration.findTransaction(context.req.param('id'))),
  );
  app.put(`${root}/:id`, async (context) => {
    const transaction = await configuration.commitTransaction(context.req.param('id'));
    if (isForced(context)) {
      await reloads.force();
      return context.json(transaction, 200);
    }
    return context.json(transaction, 202, { 'Reload-ID': reloads.want() });
  });
  app.delete(`${root}/:id`, async (context) => {
    await configuration.deleteTransaction(context.req.param('id'));
    return context.body(null, 204);
  });
}

function addReloadRoutes(app: Hono, root: string, { reloads }: Parts): void {
  app.get(root, (context) => context.json(reloads.list()));
  app.get(`${root}/:id`, (context) => {
    const id = context.req.param('id');
    const reload = reloads.find(id);
    if (reload === undefined) {
      throw new ApiError(404, `Reload with ID ${id} does not exist`);
    }
    return context.json(reload);
  });
}

function addRuntimeRoutes(app: Hono, root: string, { generation, runtime }: Parts): void {
  const servers = `${root}/runtime${generation.serversPath}`;
  const noServer = (backend: string, name: string): ApiError =>
    new ApiError(generation.unknownAtRuntime, `no data for ${backend}/${name}: not found`);

  app.get(servers, async (context) => {
    const backend = backendOf(context);
    return context.json((await runtime.servers(backend)) ?? generation.noServers(backend));
  });
  app.get(`${servers}/:name`, async (context) => {
    const [backend, name] = [backendOf(context), context.req.param('name') ?? ''];
    const server = await runtime.server(backend, name);
    if (server === undefined) {
      throw new ApiError(404, `no data for ${backend}/${name}: not found`);
    }
    return context.json(server);
  });
  app.put(`${servers}/:name`, async (context) => {
    const [backend, name] = [backendOf(context), context.req.param('name') ?? ''];
    const body = parseJson(await context.req.text());
    requireOneOf(body, 'admin_state', ['ready', 'maint', 'drain']);
    requireOneOf(body, 'operational_state', ['up', 'down', 'stopping']);
    const before = await runtime.server(backend, name);
    if (before === undefined) {
      throw noServer(backend, name);
    }
    // Compared with what the daemon believes, which is not always so: see `parseServerState`.
    const health = body['operational_state'];
    if (typeof health === 'string' && health !== before.operational_state) {
      await runtime.tell(`set server ${backend}/${name} health ${health}`);
    }
    if (typeof body['admin_state'] === 'string' && body['admin_state'] !== before.admin_state) {
      await runtime.tell(`set server ${backend}/${name} state ${body['admin_state']}`);
    }
    return context.json((await runtime.server(backend, name)) ?? before);
  });

  app.get(`${root}/stats/native`, async (context) => {
    const { type, name, parent } = context.req.query();
    const answer = await readStats(runtime, (row) => {
      const [rowName, rowParent] =
        row['type'] === 'server' ? [row['svname'], row['pxname']] : [row['pxname'], undefined];
      return (
        row['type'] !== 'listener' &&
        (type === undefined || row['type'] === type) &&
        (name === undefined || rowName === name) &&
        (parent === undefined || rowParent === parent)
      );
    });
    return context.json(generation.wrapList(answer));
  });
  app.get(`${root}/runtime/info`, async (context) => {
    const answer = await runtime.info().then(
      (info) => ({ info }),
      (error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }),
    );
    return context.json(generation.wrapList({ ...answer, runtimeAPI: runtime.socketPath }));
  });
}

async function readStats(
  runtime: RuntimeApi,
  isAskedFor: (row: Readonly<Record<string, string | number>>) => boolean,
): Promise<object> {
  try {
    const rows = await runtime.stats();
    const stats = rows
      .filter(isAskedFor)
      .map(({ pxname, svname, type, ...fields }) =>
        type === 'server'
          ? { backend_name: pxname, name: svname, stats: fields, type }
          : { name: pxname, stats: fields, type },
      );
    return { runtimeAPI: runtime.socketPath, stats };
  } catch (error) {
    return {
      runtimeAPI: runtime.socketPath,
      error: error instanceof Error ? error.message : String(error),
    };
  }
}

function reloadHeader(edition: Edition, reloads: Reloads): Record<string, string> {
  return edition.transactionId === undefined ? { 'Reload-ID': reloads.want() } : {};
}

/** In the path since v3, in the query before. */
function backendOf(context: Context): string {
  const backend = context.req.param('backend') ?? context.req.query('backend');
  if (backend === undefined) {
    throw new ApiError(500, 'parentType empty');
  }
  return backend;
}

function transactionOf(context: Context): string | undefined {
  return context.req.query('transaction_id');
}

function editionOf(context: Context): Edition {
  const version = context.req.query('version');
  if (version !== undefined && !/^[0-9]+$/.test(version)) {
    throw new ApiError(
      422,
      `version in query must be of type int64: ${JSON.stringify(version)}`,
      601,
    );
  }
  return {
    // The daemon takes 0 for none.
    version: Number(version ?? 0) || undefined,
    transactionId: transactionOf(context),
  };
}

/** Whether the answer shall come after the reload. */
function isForced(context: Context): boolean {
  return context.req.query('force_reload') === 'true';
}
