/**
 * What Rackfire relies on of the Data Plane API, by generation, as it was measured on the daemons 2.9.27 (`v2`) and
 * 3.2.15 (`v3`) in front of HAProxy 2.6.12. Played in this order on a configuration of version 5 with the servers
 * `news-web-1` (ready), `news-web-2` (in maintenance, with a node) and `news-web-3` (in maintenance).
 */

import type { GenerationName } from '../balancer/dataplane/daemon-rig.ts';
import { configured, running, services } from './api.ts';
import type { Exchange } from './exchanges.ts';
import type { Shape } from './shape.ts';

type Ports = (number: number) => number;

/** What is said in a row: the question, the status and the version that come back, and what else is of interest. */
type Row = readonly [
  what: string,
  question: `${'GET' | 'POST' | 'PUT' | 'DELETE'} /${string}`,
  status: number,
  version: number,
  answer: Shape | undefined,
  more?: Partial<Exchange>,
];

export function expectationsOf(generation: GenerationName, portOf: Ports): readonly Exchange[] {
  const rows = [
    ...aboutItself(generation),
    ...aboutRefusals(generation, portOf),
    ...aboutServers(generation, portOf),
    ...aboutTransactions(generation, portOf),
    ...aboutReloads(generation, portOf),
    ...aboutRaces(generation, portOf),
  ];
  return rows.map(toExchange);
}

const wrap = (generation: GenerationName, version: number, object: Shape): Shape =>
  generation === 'v2' ? { object: { _version: { is: version }, data: object } } : object;

const wrapList = (generation: GenerationName, object: Shape): Shape =>
  generation === 'v2' ? [object] : object;

const error = (code: number, message: RegExp): Shape => ({
  object: { code: { is: code }, message },
});

function aboutItself(generation: GenerationName): readonly Row[] {
  const version: `GET /${string}` = `GET ${services(generation, '/configuration/version')}`;
  return [
    ['its version is a bare number', version, 200, 5, { is: 5 }],
    [
      'what it is',
      `GET /${generation}/info`,
      200,
      5,
      {
        object: {
          api: { object: { build_date: 'string', version: 'string' } },
          system: { object: {} },
        },
      },
    ],
    ['its own description', `GET /${generation}/specification_openapiv3`, 200, 5, 'object'],
    [
      'its health, of which it knows nothing without a status command',
      `GET /${generation}/health`,
      200,
      5,
      { object: { haproxy: { is: 'unknown' } } },
    ],
    [
      'nobody asks',
      version,
      401,
      5,
      error(401, /^unauthenticated for invalid credentials$/),
      { asWhom: 'nobody', headers: { 'www-authenticate': 'Basic realm="API"' } },
    ],
    [
      'somebody asks with a wrong password, which 2.x repeats',
      version,
      401,
      5,
      error(401, generation === 'v2' ? /^invalid password: wrong-password$/ : /^unauthorized$/),
      {
        asWhom: 'somebody with a wrong password',
        headers: { 'www-authenticate': 'Basic realm="API"' },
      },
    ],
  ];
}

function aboutRefusals(generation: GenerationName, portOf: Ports): readonly Row[] {
  const put = (server: string, query: string, backend?: string): `PUT /${string}` =>
    `PUT ${configured(generation, `/${server}`, query, backend)}`;
  const body = { name: 'news-web-3', address: '127.0.0.1', port: portOf(3) };
  const unknown = generation === 'v2' ? 500 : 404;
  return [
    [
      'a change of a version that is past',
      put('news-web-3', 'version=4'),
      409,
      5,
      error(409, /^version mismatch: version in configuration file is 5, given version is 4$/),
      { body },
    ],
    [
      'a change of a server that is not there',
      put('nope', 'version=5'),
      404,
      5,
      error(404, /^missing object: server nope does not exist in news-web backend$/),
      { body: { ...body, name: 'nope' } },
    ],
    [
      'a change in a backend that is not there',
      put('news-web-3', 'version=5', 'nope'),
      404,
      5,
      error(404, /^missing object: server news-web-3 does not exist in nope backend$/),
      { body },
    ],
    [
      'a change of no version',
      put('news-web-3', ''),
      400,
      5,
      error(400, /^version or transaction not specified: /),
      { body },
    ],
    [
      'a change that is no JSON',
      put('news-web-3', 'version=5'),
      400,
      5,
      error(400, /^parsing data body from "" failed/),
      { body: '{"name":' },
    ],
    [
      'a port that is none',
      put('news-web-3', 'version=5'),
      422,
      5,
      error(608, /^port in body should be less than or equal to 65535$/),
      { body: { ...body, port: 99_999 } },
    ],
    [
      'a state that is none',
      `PUT ${running(generation, '/news-web-3')}`,
      422,
      5,
      error(606, /^admin_state in body should be one of \[ready maint drain\]$/),
      { body: { admin_state: 'off' } },
    ],
    [
      'a state for a server that does not run',
      `PUT ${running(generation, '/nope')}`,
      unknown,
      5,
      error(unknown, /^no data for news-web\/nope: not found$/),
      { body: { admin_state: 'drain' } },
    ],
    [
      'the servers of a backend that does not run',
      `GET ${running(generation, '', 'nope')}`,
      generation === 'v2' ? 200 : 404,
      5,
      generation === 'v2' ? [] : error(404, /^no data for nope: not found$/),
    ],
  ];
}

function aboutServers(generation: GenerationName, portOf: Ports): readonly Row[] {
  const server = '/news-web-2';
  const stats = services(generation, '/stats/native?type=server&name=news-web-2&parent=news-web');
  const body = { name: 'news-web-2', address: '127.0.0.1', port: portOf(2) };
  return [
    [
      'the servers of the file',
      `GET ${configured(generation, '')}`,
      200,
      5,
      wrap(
        generation,
        5,
        ['disabled', 'enabled', 'enabled'].map((maintenance) => serverOfFile(maintenance)),
      ),
    ],
    [
      'the servers that run',
      `GET ${running(generation, '')}`,
      200,
      5,
      ['ready', 'maint', 'maint'].map(serverAtRuntime),
    ],
    ['one in maintenance', `GET ${stats}`, 200, 5, wrapList(generation, statsOf('MAINT', false))],
    [
      'it is drained, and still called in maintenance',
      `PUT ${running(generation, server)}`,
      200,
      5,
      serverAtRuntime('maint'),
      { body: { admin_state: 'drain' } },
    ],
    [
      'only the statistics tell that it has passed',
      `GET ${stats}`,
      200,
      5,
      wrapList(generation, statsOf('DRAIN', true)),
      { isAwaited: true },
    ],
    [
      'it is made ready, at once and in the file',
      `PUT ${configured(generation, server, 'version=5')}`,
      200,
      6,
      serverOfFile('disabled'),
      { body: { ...body, maintenance: 'disabled' } },
    ],
    ['it serves', `GET ${stats}`, 200, 6, wrapList(generation, statsOf('UP', true))],
    [
      'it is put in maintenance again',
      `PUT ${configured(generation, server, 'version=6')}`,
      200,
      7,
      serverOfFile('enabled'),
      { body: { ...body, maintenance: 'enabled' } },
    ],
    [
      'a change that changes nothing is one all the same',
      `PUT ${configured(generation, server, 'version=7')}`,
      200,
      8,
      serverOfFile('enabled'),
      { body: { ...body, maintenance: 'enabled' } },
    ],
    [
      'a weight goes without a reload',
      `PUT ${configured(generation, server, 'version=8')}`,
      200,
      9,
      serverOfFile('enabled', { weight: 'number' }),
      { body: { ...body, maintenance: 'enabled', weight: 11 } },
    ],
    [
      'HAProxy itself',
      `GET ${services(generation, '/runtime/info')}`,
      200,
      9,
      wrapList(generation, { object: { runtimeAPI: 'string', info: 'object' } }),
    ],
  ];
}

function aboutTransactions(generation: GenerationName, portOf: Ports): readonly Row[] {
  const root = services(generation, '/transactions');
  const body = {
    name: 'news-web-4',
    address: '127.0.0.1',
    port: portOf(4),
    maintenance: 'enabled',
  };
  const add = (id: string): `POST /${string}` =>
    `POST ${configured(generation, '', `transaction_id=${id}`)}`;
  const begun = {
    object: { _version: { is: 9 }, id: 'string', status: { is: 'in_progress' } },
  } as const;
  return [
    ['one begins', `POST ${root}?version=9`, 201, 9, begun, { namesId: 'FIRST' }],
    ['it is there', `GET ${root}/FIRST`, 200, 9, begun],
    ['a server in it', add('FIRST'), 202, 9, serverOfFile('enabled'), { body }],
    [
      'the same once more',
      add('FIRST'),
      409,
      9,
      error(409, /^object already exists: server news-web-4 already exists in news-web backend$/),
      { body },
    ],
    ['another begins', `POST ${root}?version=9`, 201, 9, begun, { namesId: 'SECOND' }],
    [
      'the first is put in force',
      `PUT ${root}/FIRST`,
      202,
      10,
      { object: { _version: { is: 9 }, id: 'string', status: { is: 'success' } } },
      { namesReload: 'RELOAD', headers: { 'reload-id': /^\d{4}-\d\d-\d\d-0$/ } },
    ],
    [
      'its reload waits',
      `GET ${services(generation, '/reloads/RELOAD')}`,
      200,
      10,
      { object: { status: { is: 'in_progress' } } },
    ],
    [
      'its reload is done',
      `GET ${services(generation, '/reloads/RELOAD')}`,
      200,
      10,
      { object: { id: 'string', reload_timestamp: 'number', status: { is: 'succeeded' } } },
      { isAwaited: true },
    ],
    [
      'the other is outdated',
      `PUT ${root}/SECOND`,
      406,
      10,
      error(406, /^transaction [0-9a-f-]{36} is outdated and cannot be committed$/),
    ],
    ['the other is removed', `DELETE ${root}/SECOND`, 204, 10, undefined],
    [
      'the other is there no more',
      `GET ${root}/SECOND`,
      404,
      10,
      error(404, /^transaction does not exist: transaction [0-9a-f-]{36} does not exist$/),
    ],
    [
      'one that never was is put in force',
      `PUT ${root}/nope`,
      404,
      10,
      error(404, /^transaction does not exist: transaction nope does not exist$/),
    ],
    [
      'a bad one begins',
      `POST ${root}?version=10`,
      201,
      10,
      { object: { ...begun.object, _version: { is: 10 } } },
      { namesId: 'BAD' },
    ],
    [
      'a server in it that HAProxy will not take',
      add('BAD'),
      202,
      10,
      serverOfFile('enabled', { ssl: 'string', ssl_cafile: 'string', verify: 'string' }),
      {
        body: {
          ...body,
          name: 'bad',
          ssl: 'enabled',
          ssl_cafile: '/nowhere.pem',
          verify: 'required',
        },
      },
    ],
    [
      'HAProxy does not take it',
      `PUT ${root}/BAD`,
      400,
      10,
      error(
        400,
        /^validation error: exit status 1: err transactionId=[0-9a-f-]{36} \nmsg="config \[[^ ]+\] 'server news-web\/bad' Couldn't open/,
      ),
    ],
    [
      'it has failed',
      `GET ${root}/BAD`,
      200,
      10,
      { object: { id: 'string', status: { is: 'failed' } } },
    ],
    ['it is removed', `DELETE ${root}/BAD`, 204, 10, undefined],
  ];
}

function aboutReloads(generation: GenerationName, portOf: Ports): readonly Row[] {
  const body = {
    name: 'news-web-2',
    address: '127.0.0.1',
    port: portOf(2),
    maintenance: 'enabled',
  };
  // All three are part of one reload, unless its time comes in between.
  const reload = { headers: { 'reload-id': /^\d{4}-\d\d-\d\d-[1-3]$/ } };
  return [
    [
      'a field that is left out needs a reload',
      `PUT ${configured(generation, '/news-web-2', 'version=10')}`,
      202,
      11,
      serverOfFile('enabled'),
      { ...reload, body },
    ],
    [
      'a server on its own needs a reload',
      `POST ${configured(generation, '', 'version=11')}`,
      202,
      12,
      serverOfFile('enabled'),
      { ...reload, body: { ...body, name: 'news-web-5' } },
    ],
    [
      'the end of a server needs a reload',
      `DELETE ${configured(generation, '/news-web-5', 'version=12')}`,
      202,
      13,
      undefined,
      reload,
    ],
  ];
}

/** Ten at once of one version: one is done, and nine are told that the version has moved. */
function aboutRaces(generation: GenerationName, portOf: Ports): readonly Row[] {
  return Array.from({ length: 10 }, (_, index): Row => {
    const question: `PUT /${string}` = `PUT ${configured(generation, '/news-web-2', 'version=13')}`;
    const body = {
      name: 'news-web-2',
      address: '127.0.0.1',
      port: portOf(2),
      maintenance: 'enabled',
      weight: 10 + index,
    };
    const more = { group: 'ten at once', body };
    return index === 0
      ? ['the first of ten', question, 200, 14, serverOfFile('enabled', { weight: 'number' }), more]
      : [
          'the others of ten',
          question,
          409,
          14,
          error(
            409,
            /^version mismatch: (version mismatch, transaction version: 13, configured version: 14|version in configuration file is 14, given version is 13)$/,
          ),
          more,
        ];
  });
}

function serverOfFile(maintenance: string, more: Readonly<Record<string, Shape>> = {}): Shape {
  return {
    object: {
      name: 'string',
      address: 'string',
      port: 'number',
      maintenance: { is: maintenance },
      ...more,
    },
  };
}

function serverAtRuntime(adminState: string): Shape {
  return {
    object: {
      name: 'string',
      id: 'string',
      address: 'string',
      port: 'number',
      admin_state: { is: adminState },
      operational_state: 'string',
    },
  };
}

/** @param isChecked - In maintenance, HAProxy says nothing of checks. */
function statsOf(status: string, isChecked: boolean): Shape {
  const numbers =
    `act bck bin bout chkdown chkfail cli_abrt ctime downtime dresp econ eresp hrsp_1xx hrsp_2xx hrsp_3xx
    hrsp_4xx hrsp_5xx hrsp_other iid lastchg lastsess lbtot pid qcur qmax qtime rate rate_max req_tot rtime scur sid slim
    smax srv_abrt stot ttime weight wredis wretr`.split(/\s+/);
  const ofChecks = 'check_code check_duration check_fall check_health check_rise'.split(' ');
  const names = isChecked ? [...numbers, ...ofChecks] : numbers;
  return {
    object: {
      runtimeAPI: 'string',
      stats: [
        {
          object: {
            name: { is: 'news-web-2' },
            backend_name: { is: 'news-web' },
            type: { is: 'server' },
            stats: {
              object: {
                ...Object.fromEntries(names.map((name) => [name, 'number' as const])),
                ...(isChecked ? { check_desc: 'string', check_status: { is: 'L7OK' } } : {}),
                addr: 'string',
                mode: 'string',
                status: { is: status },
              },
            },
          },
        },
      ],
    },
  };
}

function toExchange([what, question, status, version, answer, more = {}]: Row): Exchange {
  const [method = '', path = ''] = question.split(' ');
  const { headers, ...others } = more;
  return {
    what,
    method,
    path,
    status,
    answer,
    ...others,
    headers: {
      'configuration-version': String(version),
      'content-type': answer === undefined ? undefined : 'application/json',
      'www-authenticate': undefined,
      'reload-id': undefined,
      ...headers,
    },
  };
}
