/** Holds real answers against the OpenAPI document of the service. */

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Answer } from './api-lab.ts';

interface MediaType {
  readonly schema: object;
}

export interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: object;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, MediaType>> };
  readonly security?: readonly object[];
  readonly responses: Readonly<
    Record<
      string,
      { readonly description: string; readonly content?: Readonly<Record<string, MediaType>> }
    >
  >;
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly securitySchemes: Readonly<Record<string, object>>;
  };
}

/** The id under which the schemas of the document refer to each other. */
const DOCUMENT_ID = 'https://rackfire.test/openapi.json';

const isDateTime = (text: string): boolean =>
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/.test(text) &&
  !Number.isNaN(Date.parse(text));

export class Contract {
  readonly document: OpenApiDocument;
  /** `operation status code`, of all answers so far. */
  readonly seen = new Set<string>();
  readonly #ajv: Ajv2020;

  constructor(document: OpenApiDocument) {
    this.document = document;
    this.#ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
    this.#ajv.addFormat('date-time', isDateTime);
    // Says to clients what `oneOf` says already.
    this.#ajv.addKeyword({ keyword: 'discriminator', schemaType: 'object' });
    const { schemas } = document.components;
    this.#ajv.addSchema({ $id: DOCUMENT_ID, components: { schemas: closed(schemas) } });
    this.#ajv.addKeyword({ keyword: 'components', schemaType: 'object' });
  }

  /** Every operation with its path and method. */
  get operations() {
    return Object.entries(this.document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
    );
  }

  /** Every answer that is documented, as `operation status code`; good ones have no code. */
  get documented(): readonly string[] {
    return this.operations.flatMap(({ operation: { operationId, responses } }) =>
      Object.entries(responses).flatMap(([status, { description }]) =>
        status.startsWith('2')
          ? [`${operationId} ${status}`]
          : [...description.matchAll(/`([a-z-]+)`/g)].map(
              ([, code]) => `${operationId} ${status} ${code}`,
            ),
      ),
    );
  }

  /** @throws Error when the answer is not as documented. */
  hold(operationId: string, answer: Answer): void {
    const operation = this.operation(operationId);
    const documented = operation.responses[answer.status];
    if (documented === undefined) {
      throw new Error(`${operationId} answered ${answer.status}: ${answer.text}`);
    }
    const type = answer.headers['content-type']?.split(';')[0] ?? '';
    const media = documented.content?.[type];
    if (media === undefined) {
      throw new Error(`${operationId} answered ${answer.status} with content type ${type}`);
    }
    const isJson = type === 'application/json';
    const validate = this.compile(media.schema);
    if (!validate(isJson ? answer.json : answer.text)) {
      const why = this.#ajv.errorsText(validate.errors);
      throw new Error(`${operationId} ${answer.status}: ${why}\n${answer.text}`);
    }
    const { error } = (isJson ? answer.json : {}) as { readonly error?: { readonly code: string } };
    this.seen.add([operationId, answer.status, error?.code ?? []].flat().join(' '));
  }

  operation(operationId: string): Operation {
    const found = this.operations.find((one) => one.operation.operationId === operationId);
    if (found === undefined) {
      throw new Error(`there is no operation ${operationId}`);
    }
    return found.operation;
  }

  compile(schema: object): ValidateFunction {
    return this.#ajv.compile(closed(absolute(schema)));
  }
}

/** References as they are read outside of the document. */
function absolute<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value).replaceAll('"#/', `"${DOCUMENT_ID}#/`)) as Value;
}

/**
 * Objects have what is documented and nothing else. The document itself leaves them open, so that clients of
 * today understand the answers of tomorrow.
 */
function closed<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value), (_key, entry: unknown) => {
    const isObject = typeof entry === 'object' && entry !== null && 'properties' in entry;
    return isObject && !('additionalProperties' in entry)
      ? { ...entry, additionalProperties: false }
      : entry;
  }) as Value;
}
