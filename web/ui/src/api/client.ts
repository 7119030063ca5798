// One small fetch wrapper: same origin, the session's cookie, problem+json errors as ApiError.

import type { Problem } from './types'

/** What the server refused, or that it could not be reached (status 0). */
export class ApiError extends Error {
  readonly status: number
  readonly problem: Problem
  /** Seconds to wait before trying again, from Retry-After; 0 when the server did not say. */
  readonly retryAfter: number

  constructor(status: number, problem: Problem, retryAfter = 0) {
    super(problem.detail || problem.title || `HTTP ${status}`)
    this.name = 'ApiError'
    this.status = status
    this.problem = problem
    this.retryAfter = retryAfter
  }
}

export interface RequestOptions {
  query?: Record<string, string | number | boolean | undefined>
  body?: unknown
  /** A version for If-Match; quoted here. */
  ifMatch?: number | string
  signal?: AbortSignal
}

type Listener = () => void
const unauthorized = new Set<Listener>()

/** Tells f whenever the server answers 401 to anything but a login. Returns the way to stop. */
export function onUnauthorized(f: Listener): () => void {
  unauthorized.add(f)
  return () => unauthorized.delete(f)
}

function url(path: string, query: RequestOptions['query']): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== '') params.set(key, String(value))
  }
  const text = params.toString()
  return text ? `${path}?${text}` : path
}

async function problemOf(response: Response): Promise<Problem> {
  try {
    return (await response.json()) as Problem
  } catch {
    return { title: response.statusText, status: response.status }
  }
}

/** Sends a request and gives the decoded JSON body, or undefined when there is none. */
export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (options.body !== undefined) headers['Content-Type'] = 'application/json'
  if (options.ifMatch !== undefined) headers['If-Match'] = `"${options.ifMatch}"`
  let response: Response
  try {
    response = await fetch(url(path, options.query), {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      credentials: 'same-origin',
      signal: options.signal,
    })
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause
    throw new ApiError(0, { title: 'unreachable' })
  }
  if (!response.ok) {
    if (response.status === 401 && !path.endsWith('/session')) unauthorized.forEach((f) => f())
    throw new ApiError(response.status, await problemOf(response), Number(response.headers.get('Retry-After')) || 0)
  }
  if (response.status === 204 || response.headers.get('Content-Length') === '0') return undefined as T
  return (await response.json()) as T
}
