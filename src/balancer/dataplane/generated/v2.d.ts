/**
 * The part of HAProxy's Data Plane API, v2, that Rackfire uses. Made by "npm run generate:dataplane" out of the
 * description that the daemon serves, which is HAProxy Technologies' work under the Apache License 2.0, as Rackfire
 * is. Not to be edited.
 *
 * description 3c22b10b47b56bf9dea4159d94fba8777c8a566ea52eb42968767831f7fde096
 * types c8425eb70928ddb0f7ace17435f65362fd6cd23d3fc1c4e57c4548824d3ba00a
 */

export interface paths {
  '/info': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['info'];
          };
        };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/services/haproxy/configuration/raw': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: {
      parameters: {
        query?: {
          transaction_id?: components['parameters']['transaction_id'];
          version?: components['parameters']['version'];
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: {
            'Cluster-Version'?: string;
            'Configuration-Checksum'?: string;
            'Configuration-Version'?: string;
            [name: string]: unknown;
          };
          content: {
            'application/json': {
              _version?: number;
              data: string;
            };
          };
        };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/services/haproxy/configuration/servers': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: {
      parameters: {
        query?: {
          backend?: string;
          parent_name?: string;
          parent_type?: 'backend' | 'ring' | 'peers';
          transaction_id?: components['parameters']['transaction_id'];
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: {
            'Configuration-Version'?: string;
            [name: string]: unknown;
          };
          content: {
            'application/json': {
              _version?: number;
              data: components['schemas']['servers'];
            };
          };
        };
      };
    };
    put?: never;
    post: {
      parameters: {
        query?: {
          backend?: string;
          parent_name?: string;
          parent_type?: 'backend' | 'ring' | 'peers';
          transaction_id?: components['parameters']['transaction_id'];
          version?: components['parameters']['version'];
          force_reload?: components['parameters']['force_reload'];
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          'application/json': components['schemas']['server'];
        };
      };
      responses: {
        201: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['server'];
          };
        };
        202: {
          headers: {
            'Reload-ID'?: string;
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['server'];
          };
        };
        400: components['responses']['BadRequest'];
        409: components['responses']['AlreadyExists'];
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/services/haproxy/configuration/servers/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put: {
      parameters: {
        query?: {
          backend?: string;
          parent_name?: string;
          parent_type?: 'backend' | 'ring' | 'peers';
          transaction_id?: components['parameters']['transaction_id'];
          version?: components['parameters']['version'];
          force_reload?: components['parameters']['force_reload'];
        };
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          'application/json': components['schemas']['server'];
        };
      };
      responses: {
        200: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['server'];
          };
        };
        202: {
          headers: {
            'Reload-ID'?: string;
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['server'];
          };
        };
        400: components['responses']['BadRequest'];
        404: components['responses']['NotFound'];
      };
    };
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/services/haproxy/configuration/version': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: {
      parameters: {
        query?: {
          transaction_id?: components['parameters']['transaction_id'];
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': number;
          };
        };
        404: components['responses']['NotFound'];
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/services/haproxy/reloads/{id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['reload'];
          };
        };
        404: components['responses']['NotFound'];
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/services/haproxy/runtime/info': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['process_infos'];
          };
        };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/services/haproxy/runtime/servers': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: {
      parameters: {
        query: {
          backend: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['runtime_servers'];
          };
        };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/services/haproxy/runtime/servers/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put: {
      parameters: {
        query: {
          backend: string;
        };
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          'application/json': components['schemas']['runtime_server'];
        };
      };
      responses: {
        200: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['runtime_server'];
          };
        };
        400: components['responses']['BadRequest'];
        404: components['responses']['NotFound'];
      };
    };
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/services/haproxy/stats/native': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: {
      parameters: {
        query?: {
          type?: 'frontend' | 'backend' | 'server';
          name?: string;
          parent?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['native_stats'];
          };
        };
        500: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['native_stats'];
          };
        };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/services/haproxy/transactions': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: {
      parameters: {
        query: {
          version: number;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        201: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['transaction'];
          };
        };
        429: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': {
              code?: number;
              message?: string;
            };
          };
        };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/services/haproxy/transactions/{id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put: {
      parameters: {
        query?: {
          force_reload?: components['parameters']['force_reload'];
        };
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: {
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['transaction'];
          };
        };
        202: {
          headers: {
            'Reload-ID'?: string;
            [name: string]: unknown;
          };
          content: {
            'application/json': components['schemas']['transaction'];
          };
        };
        400: components['responses']['BadRequest'];
        404: components['responses']['NotFound'];
        406: components['responses']['NotAcceptable'];
      };
    };
    post?: never;
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        204: {
          headers: {
            [name: string]: unknown;
          };
          content?: never;
        };
        404: components['responses']['NotFound'];
      };
    };
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
}
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    error: {
      code: number | null;
      message: string | null;
    } & {
      [key: string]: string;
    };
    info: {
      api?: {
        build_date?: string;
        version?: string;
      };
      system?: {
        cpu_info?: {
          model?: string;
          num_cpus?: number;
        };
        hostname?: string;
        mem_info?: {
          dataplaneapi_memory?: number;
          free_memory?: number;
          total_memory?: number;
        };
        os_string?: string;
        time?: number;
        uptime?: number | null;
      };
    };
    native_stat: {
      backend_name?: string;
      name?: string;
      stats?: components['schemas']['native_stat_stats'];
      /** @enum {string} */
      type?: 'backend' | 'server' | 'frontend';
    };
    native_stat_stats: {
      act?: number | null;
      addr?: string;
      agent_code?: number | null;
      agent_desc?: string;
      agent_duration?: number | null;
      agent_fall?: number | null;
      agent_health?: number | null;
      agent_rise?: number | null;
      /** @enum {string} */
      agent_status?: 'UNK' | 'INI' | 'SOCKERR' | 'L4OK' | 'L4TOUT' | 'L4CON' | 'L7OK' | 'L7STS';
      algo?: string;
      bck?: number | null;
      bin?: number | null;
      bout?: number | null;
      check_code?: number | null;
      check_desc?: string;
      check_duration?: number | null;
      check_fall?: number | null;
      check_health?: number | null;
      check_rise?: number | null;
      /** @enum {string} */
      check_status?:
        | 'UNK'
        | 'INI'
        | 'SOCKERR'
        | 'L4OK'
        | 'L4TOUT'
        | 'L4CON'
        | 'L6OK'
        | 'L6TOUT'
        | 'L6RSP'
        | 'L7OK'
        | 'L7OKC'
        | 'L7TOUT'
        | 'L7RSP'
        | 'L7STS';
      chkdown?: number | null;
      chkfail?: number | null;
      cli_abrt?: number | null;
      comp_byp?: number | null;
      comp_in?: number | null;
      comp_out?: number | null;
      comp_rsp?: number | null;
      conn_rate?: number | null;
      conn_rate_max?: number | null;
      conn_tot?: number | null;
      cookie?: string;
      ctime?: number | null;
      dcon?: number | null;
      downtime?: number | null;
      dreq?: number | null;
      dresp?: number | null;
      dses?: number | null;
      econ?: number | null;
      ereq?: number | null;
      eresp?: number | null;
      hanafail?: string;
      hrsp_1xx?: number | null;
      hrsp_2xx?: number | null;
      hrsp_3xx?: number | null;
      hrsp_4xx?: number | null;
      hrsp_5xx?: number | null;
      hrsp_other?: number | null;
      iid?: number | null;
      intercepted?: number | null;
      last_agt?: string | null;
      last_chk?: string | null;
      lastchg?: number | null;
      lastsess?: number | null;
      lbtot?: number | null;
      /** @enum {string} */
      mode?: 'tcp' | 'http' | 'health' | 'unknown';
      pid?: number | null;
      qcur?: number | null;
      qlimit?: number | null;
      qmax?: number | null;
      qtime?: number | null;
      rate?: number | null;
      rate_lim?: number | null;
      rate_max?: number | null;
      req_rate?: number | null;
      req_rate_max?: number | null;
      req_tot?: number | null;
      rtime?: number | null;
      scur?: number | null;
      sid?: number | null;
      slim?: number | null;
      smax?: number | null;
      srv_abrt?: number | null;
      /** @enum {string} */
      status?: 'UP' | 'DOWN' | 'NOLB' | 'MAINT' | 'no check';
      stot?: number | null;
      throttle?: number | null;
      tracked?: string;
      ttime?: number | null;
      weight?: number | null;
      wredis?: number | null;
      wretr?: number | null;
    };
    native_stats: components['schemas']['native_stats_collection'][];
    native_stats_collection: {
      error?: string;
      runtimeAPI?: string;
      stats?: components['schemas']['native_stat'][];
    };
    process_info: {
      error?: string;
      info?: components['schemas']['process_info_item'];
      runtimeAPI?: string;
    };
    process_info_item: {
      active_peers?: number | null;
      busy_polling?: number | null;
      bytes_out_rate?: number | null;
      compress_bps_in?: number | null;
      compress_bps_out?: number | null;
      compress_bps_rate_lim?: number | null;
      conn_rate?: number | null;
      conn_rate_limit?: number | null;
      connected_peers?: number | null;
      cum_conns?: number | null;
      cum_req?: number | null;
      cum_ssl_conns?: number | null;
      curr_conns?: number | null;
      curr_ssl_conns?: number | null;
      dropped_logs?: number | null;
      failed_resolutions?: number | null;
      hard_max_conn?: number | null;
      idle_pct?: number | null;
      jobs?: number | null;
      listeners?: number | null;
      max_conn?: number | null;
      max_conn_rate?: number | null;
      max_pipes?: number | null;
      max_sess_rate?: number | null;
      max_sock?: number | null;
      max_ssl_conns?: number | null;
      max_ssl_rate?: number | null;
      max_zlib_mem_usage?: number | null;
      mem_max_mb?: number | null;
      nbthread?: number | null;
      node?: string;
      pid?: number | null;
      pipes_free?: number | null;
      pipes_used?: number | null;
      pool_alloc_mb?: number | null;
      pool_failed?: number | null;
      pool_used_mb?: number | null;
      process_num?: number | null;
      processes?: number | null;
      release_date?: string;
      run_queue?: number | null;
      sess_rate?: number | null;
      sess_rate_limit?: number | null;
      ssl_backend_key_rate?: number | null;
      ssl_backend_max_key_rate?: number | null;
      ssl_cache_lookups?: number | null;
      ssl_cache_misses?: number | null;
      ssl_frontend_key_rate?: number | null;
      ssl_frontend_max_key_rate?: number | null;
      ssl_frontend_session_reuse?: number | null;
      ssl_rate?: number | null;
      ssl_rate_limit?: number | null;
      stopping?: number | null;
      tasks?: number | null;
      total_bytes_out?: number | null;
      ulimit_n?: number | null;
      unstoppable?: number | null;
      uptime?: number | null;
      version?: string;
      zlib_mem_usage?: number | null;
    };
    process_infos: components['schemas']['process_info'][];
    reload: {
      id?: string;
      reload_timestamp?: number;
      response?: string;
      /** @enum {string} */
      status?: 'failed' | 'in_progress' | 'succeeded';
    };
    runtime_server: {
      readonly address?: string;
      /** @enum {string} */
      admin_state?: 'ready' | 'maint' | 'drain';
      readonly id?: string;
      readonly name?: string;
      /** @enum {string} */
      operational_state?: 'up' | 'down' | 'stopping';
      readonly port?: number | null;
    };
    runtime_servers: components['schemas']['runtime_server'][];
    server: components['schemas']['server_params'] & {
      address: string;
      id?: number | null;
      name: string;
      port?: number | null;
    };
    server_params: {
      'agent-addr'?: string;
      /** @enum {string} */
      'agent-check'?: 'enabled' | 'disabled';
      'agent-inter'?: number | null;
      'agent-port'?: number | null;
      'agent-send'?: string;
      allow_0rtt?: boolean;
      alpn?: string;
      /** @enum {string} */
      backup?: 'enabled' | 'disabled';
      /** @enum {string} */
      check?: 'enabled' | 'disabled';
      /** @enum {string} */
      'check-send-proxy'?: 'enabled' | 'disabled';
      'check-sni'?: string;
      /** @enum {string} */
      'check-ssl'?: 'enabled' | 'disabled';
      check_alpn?: string;
      check_proto?: string;
      /** @enum {string} */
      check_via_socks4?: 'enabled' | 'disabled';
      ciphers?: string;
      ciphersuites?: string;
      client_sigalgs?: string;
      cookie?: string;
      crl_file?: string;
      curves?: string;
      downinter?: number | null;
      error_limit?: number;
      fall?: number | null;
      fastinter?: number | null;
      /** @enum {string} */
      force_sslv3?: 'enabled' | 'disabled';
      /** @enum {string} */
      force_tlsv10?: 'enabled' | 'disabled';
      /** @enum {string} */
      force_tlsv11?: 'enabled' | 'disabled';
      /** @enum {string} */
      force_tlsv12?: 'enabled' | 'disabled';
      /** @enum {string} */
      force_tlsv13?: 'enabled' | 'disabled';
      health_check_address?: string;
      health_check_port?: number | null;
      'init-addr'?: string | null;
      inter?: number | null;
      'log-bufsize'?: number | null;
      /** @enum {string} */
      log_proto?: 'legacy' | 'octet-count';
      /** @enum {string} */
      maintenance?: 'enabled' | 'disabled';
      max_reuse?: number | null;
      maxconn?: number | null;
      maxqueue?: number | null;
      minconn?: number | null;
      namespace?: string;
      /** @enum {string} */
      no_sslv3?: 'enabled' | 'disabled';
      /** @enum {string} */
      no_tlsv10?: 'enabled' | 'disabled';
      /** @enum {string} */
      no_tlsv11?: 'enabled' | 'disabled';
      /** @enum {string} */
      no_tlsv12?: 'enabled' | 'disabled';
      /** @enum {string} */
      no_tlsv13?: 'enabled' | 'disabled';
      /** @enum {string} */
      no_verifyhost?: 'enabled' | 'disabled';
      npn?: string;
      /** @enum {string} */
      observe?: 'layer4' | 'layer7';
      /** @enum {string} */
      'on-error'?: 'fastinter' | 'fail-check' | 'sudden-death' | 'mark-down';
      /** @enum {string} */
      'on-marked-down'?: 'shutdown-sessions';
      /** @enum {string} */
      'on-marked-up'?: 'shutdown-backup-sessions';
      pool_low_conn?: number | null;
      pool_max_conn?: number | null;
      pool_purge_delay?: number | null;
      proto?: string;
      'proxy-v2-options'?: (
        | 'authority'
        | 'cert-cn'
        | 'cert-key'
        | 'cert-sig'
        | 'crc32c'
        | 'ssl'
        | 'ssl-cipher'
        | 'unique-id'
      )[];
      redir?: string;
      'resolve-net'?: string;
      /** @enum {string} */
      'resolve-prefer'?: 'ipv4' | 'ipv6';
      resolve_opts?: string;
      resolvers?: string;
      rise?: number | null;
      /** @enum {string} */
      'send-proxy'?: 'enabled' | 'disabled';
      /** @enum {string} */
      'send-proxy-v2'?: 'enabled' | 'disabled';
      /** @enum {string} */
      send_proxy_v2_ssl?: 'enabled' | 'disabled';
      /** @enum {string} */
      send_proxy_v2_ssl_cn?: 'enabled' | 'disabled';
      'set-proxy-v2-tlv-fmt'?: {
        id: string;
        value: string;
      };
      shard?: number;
      sigalgs?: string;
      slowstart?: number | null;
      sni?: string;
      socks4?: string;
      source?: string;
      /** @enum {string} */
      ssl?: 'enabled' | 'disabled';
      ssl_cafile?: string;
      ssl_certificate?: string;
      /** @enum {string} */
      ssl_max_ver?: 'SSLv3' | 'TLSv1.0' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
      /** @enum {string} */
      ssl_min_ver?: 'SSLv3' | 'TLSv1.0' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
      /** @enum {string} */
      ssl_reuse?: 'enabled' | 'disabled';
      /** @enum {string} */
      stick?: 'enabled' | 'disabled';
      tcp_ut?: number | null;
      /** @enum {string} */
      tfo?: 'enabled' | 'disabled';
      /** @enum {string} */
      tls_tickets?: 'enabled' | 'disabled';
      track?: string;
      /** @enum {string} */
      verify?: 'none' | 'required';
      verifyhost?: string;
      weight?: number | null;
      /** @enum {string} */
      ws?: 'auto' | 'h1' | 'h2';
    };
    servers: components['schemas']['server'][];
    transaction: {
      _version?: number;
      id?: string;
      /** @enum {string} */
      status?: 'failed' | 'outdated' | 'in_progress' | 'success';
    };
  };
  responses: {
    AlreadyExists: {
      headers: {
        'Configuration-Version'?: string;
        [name: string]: unknown;
      };
      content: {
        'application/json': components['schemas']['error'];
      };
    };
    BadRequest: {
      headers: {
        'Configuration-Version'?: string;
        [name: string]: unknown;
      };
      content: {
        'application/json': components['schemas']['error'];
      };
    };
    NotAcceptable: {
      headers: {
        'Configuration-Version'?: string;
        [name: string]: unknown;
      };
      content: {
        'application/json': components['schemas']['error'];
      };
    };
    NotFound: {
      headers: {
        'Configuration-Version'?: string;
        [name: string]: unknown;
      };
      content: {
        'application/json': components['schemas']['error'];
      };
    };
  };
  parameters: {
    force_reload: boolean;
    transaction_id: string;
    version: number;
  };
  requestBodies: never;
  headers: never;
  pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
