// One small fetch wrapper: same origin, the session's cookie, problem+json errors as ApiError.

import { parseExact } from './exactjson'
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
  /** Numbers of the answer that JavaScript cannot hold are texts of the same digits. */
  exact?: boolean
}

/** Marks a request that nobody is behind, as web/api reads it: it does not extend the session. */
const idleHeader = 'X-Onemap-Idle'
const buildHeader = 'X-Onemap-Build'

let idle = () => false
/** Tells when nobody is at this page; the requests say so. */
export const setIdle = (f: () => boolean) => void (idle = f)
/** What every request of the page carries, also those that do not go through request. */
export const pageHeaders = (): Record<string, string> => (idle() ? { [idleHeader]: 'true' } : {})

let told: (build: string) => void = () => undefined
/** Hands f the name of the pages' build that the server has, with each answer. */
export const onBuild = (f: (build: string) => void) => void (told = f)

type Listener = () => void
const unauthorized = new Set<Listener>()

/** Tells f whenever the server answers 401 to anything but a login. Returns the way to stop. */
export function onUnauthorized(f: Listener): () => void {
  unauthorized.add(f)
  return () => unauthorized.delete(f)
}

/** The path with those parameters that have a value. */
export function url(path: string, query: RequestOptions['query']): string {
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
  const headers: Record<string, string> = { Accept: 'application/json', ...pageHeaders() }
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
  told(response.headers.get(buildHeader) ?? '')
  if (!response.ok) {
    if (response.status === 401 && !path.endsWith('/session')) unauthorized.forEach((f) => f())
    throw new ApiError(response.status, await problemOf(response), Number(response.headers.get('Retry-After')) || 0)
  }
  if (response.status === 204 || response.headers.get('Content-Length') === '0') return undefined as T
  return (options.exact ? parseExact(await response.text()) : await response.json()) as T
}
