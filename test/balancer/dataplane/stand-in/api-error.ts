/** The daemon's answers that are not successes: a status, a code of its own and a message. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: number;

  /** @param code - The code in the body; the status, but for a body that fails its description (601…609). */
  constructor(status: number, message: string, code = status) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function missingServer(server: string, backend: string): ApiError {
  return new ApiError(404, `missing object: server ${server} does not exist in ${backend} backend`);
}
