// An HTTP server for unit tests, in the place of fetch: it answers by method and path, and remembers what it was asked.

import { vi } from 'vitest'

export interface Call {
  method: string
  path: string
  query: Record<string, string>
  body: unknown
  headers: Record<string, string>
  signal?: AbortSignal
}

type Answer = unknown | Response | ((call: Call) => unknown)

/** What a server refuses with, as problem+json. */
export const refusal = (status: number, problem: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ status, ...problem }), { status, headers: { 'Content-Type': 'application/problem+json', ...headers } })

/** Answers "GET /api/v1/me" and the like until the test's stubs are undone; anything else is a 404. */
export function aServer(routes: Record<string, Answer>): Call[] {
  const calls: Call[] = []
  vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
    const at = new URL(url, 'http://map.example')
    const call: Call = {
      method: init.method ?? 'GET', path: at.pathname, query: Object.fromEntries(at.searchParams), body: init.body ? JSON.parse(String(init.body)) : undefined,
      headers: init.headers as Record<string, string>, signal: init.signal ?? undefined,
    }
    calls.push(call)
    const found = routes[`${call.method} ${call.path}`]
    if (found === undefined) return refusal(404)
    const answer = typeof found === 'function' ? await (found as (call: Call) => unknown)(call) : found
    if (answer instanceof Response) return answer.clone()
    return answer === null ? new Response(null, { status: 204 }) : new Response(JSON.stringify(answer))
  })
  return calls
}

/** The storage of a browser, which node does not have. */
export function aStorage(): Storage {
  const kept = new Map<string, string>()
  return new Proxy({} as Storage, {
    get(_, name) {
      switch (name) {
        case 'getItem':
          return (key: string) => kept.get(key) ?? null
        case 'setItem':
          return (key: string, value: string) => void kept.set(key, value)
        case 'removeItem':
          return (key: string) => void kept.delete(key)
        case 'clear':
          return () => kept.clear()
        case 'length':
          return kept.size
        default:
          return kept.get(String(name))
      }
    },
    ownKeys: () => [...kept.keys()],
    getOwnPropertyDescriptor: (_, key) => (kept.has(String(key)) ? { enumerable: true, configurable: true, value: kept.get(String(key)) } : undefined),
  })
}
