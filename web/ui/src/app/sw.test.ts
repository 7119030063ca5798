// The service worker as it is built, over a server and a cache that the test holds.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

const origin = 'https://map.example'
const source = ts.transpileModule(readFileSync(join(__dirname, 'sw.ts'), 'utf8'), { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.None } }).outputText

type Listener = (event: object) => void
type Answer = (signal?: AbortSignal) => Response | Promise<Response>
let stores: Map<string, Map<string, Response>>
let routes: Record<string, Answer>
let asked: string[]
beforeEach(() => {
  stores = new Map()
  routes = {}
  asked = []
})

afterEach(() => void vi.useRealTimers())

const absolute = (of: unknown) => new URL(typeof of === 'string' ? of : (of as Request).url, origin).href
const ask = async (request: unknown, init: RequestInit = {}) => {
  const url = absolute(request)
  asked.push(url.slice(origin.length))
  const answer = routes[url.slice(origin.length)]
  if (!answer) throw new TypeError('no network')
  return answer(init.signal ?? undefined)
}
const cacheOf = (name: string) => {
  const held = stores.get(name) ?? new Map<string, Response>()
  stores.set(name, held)
  return {
    put: (key: unknown, value: Response) => Promise.resolve(void held.set(absolute(key), value)),
    addAll: async (names: string[]) => {
      for (const name of names) held.set(absolute(name), await ask(name))
    },
  }
}
const caches = {
  open: (name: string) => Promise.resolve(cacheOf(name)),
  match: (key: unknown, { cacheName }: { cacheName: string }) => Promise.resolve(stores.get(cacheName)?.get(absolute(key))?.clone()),
  keys: () => Promise.resolve([...stores.keys()]),
  delete: (name: string) => Promise.resolve(stores.delete(name)),
}

/** A worker of a build, for the pages below a path. */
function aWorker(build: string, base = '/') {
  const listeners = new Map<string, Listener>()
  const taken = { skipped: false, claimed: false }
  const self = {
    addEventListener: (kind: string, f: Listener) => void listeners.set(kind, f),
    skipWaiting: () => Promise.resolve(void (taken.skipped = true)),
    clients: { claim: () => Promise.resolve(void (taken.claimed = true)) },
  }
  const script = source.replace('__BUILD__', build).replace('__FILES__', JSON.stringify(['icon.svg', 'assets/a.js']))
  new Function('self', 'location', 'caches', 'fetch', script)(self, new URL(`${base}sw.js`, origin), caches, ask)
  const until = async (kind: string) => {
    let work: Promise<unknown> = Promise.resolve()
    listeners.get(kind)!({ waitUntil: (p: Promise<unknown>) => (work = p) })
    await work
  }
  /** What the worker answers; undefined: it leaves the request to the browser. */
  const fetch = (path: string, over: object = {}) => {
    let answer: Promise<Response> | undefined
    listeners.get('fetch')!({ request: { url: new URL(path, origin).href, method: 'GET', mode: 'navigate', ...over }, respondWith: (p: Promise<Response>) => (answer = p) })
    return answer
  }
  return { install: () => until('install'), activate: () => until('activate'), fetch, taken }
}
const pageOf = (build: string, text = `page ${build}`) => () => new Response(text, { headers: { 'X-Onemap-Build': build } })
const served = (build: string) => (routes = { '/': pageOf(build), '/icon.svg': () => new Response('icon'), '/assets/a.js': () => new Response('script') })
async function installed(build = 'b1') {
  served(build)
  const worker = aWorker(build)
  await worker.install()
  await worker.activate()
  return worker
}
const textOf = async (answer: Promise<Response> | undefined) => (await answer!).text()
const asset = { mode: 'no-cors' }

test('a page comes from the server while that answers, and is the kept one while it does not', async () => {
  const worker = await installed()
  expect(worker.taken).toEqual({ skipped: true, claimed: true })
  routes['/rules'] = () => new Response('fresh')
  expect(await textOf(worker.fetch('/rules'))).toBe('fresh')
  routes = {}
  expect(await textOf(worker.fetch('/rules?x=1'))).toBe('page b1')
})

test.each([502, 503, 504])('a proxy that says %i is a server that is away', async (status) => {
  const worker = await installed()
  routes['/'] = () => new Response('bad gateway', { status })
  expect(await textOf(worker.fetch('/'))).toBe('page b1')
})

test('a refusal of the server itself is shown', async () => {
  const worker = await installed()
  routes['/'] = () => new Response('no', { status: 500 })
  expect(await textOf(worker.fetch('/'))).toBe('no')
})

test('a server that is silent for five seconds is away', async () => {
  vi.useFakeTimers()
  const worker = await installed()
  routes['/'] = (signal) => new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason as Error)))
  const answer = worker.fetch('/')!
  const answered = vi.fn()
  void answer.then(answered)
  await vi.advanceTimersByTimeAsync(4900)
  expect(answered).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(200)
  expect(await textOf(answer)).toBe('page b1')
})

test('answers of the API are never kept, and never come from here', async () => {
  const worker = await installed()
  for (const path of ['/api/v1/alerts', '/tiles/land/1/2/3.mvt', '/ws', '/cap/1', '/healthz', '/metrics']) {
    expect(worker.fetch(path), path).toBeUndefined()
    expect(worker.fetch(path, asset), path).toBeUndefined()
  }
  expect(worker.fetch('/apiary')).toBeDefined() // a page, by its whole name
  routes = {}
  await textOf(worker.fetch('/apiary'))
})

test('what is not ours to answer is left alone', async () => {
  const worker = await installed()
  expect([worker.fetch('/', { method: 'POST' }), worker.fetch('https://other.example/'), worker.fetch('/robots.txt', asset)]).toEqual([undefined, undefined, undefined])
})

test('a file with a hash in its name is fetched once; a refusal of it is not kept', async () => {
  const worker = await installed()
  asked = []
  expect(await textOf(worker.fetch('/assets/a.js', asset))).toBe('script')
  expect(asked).toEqual([])
  routes['/assets/font.woff2'] = () => new Response('no', { status: 404 })
  await worker.fetch('/assets/font.woff2', asset)
  routes['/assets/font.woff2'] = () => new Response('font')
  for (let i = 0; i < 2; i++) expect(await textOf(worker.fetch('/assets/font.woff2', asset))).toBe('font')
  expect(asked).toEqual(['/assets/font.woff2', '/assets/font.woff2'])
})

test('a build that the server has no more is not installed: its page would ask for files that are gone', async () => {
  served('b2')
  const worker = aWorker('b1')
  await expect(worker.install()).rejects.toThrow('another build')
  expect([worker.taken.skipped, stores.get('onemap-shell-b1')?.size]).toEqual([false, 0])
  routes['/'] = () => new Response('away', { status: 503, headers: { 'X-Onemap-Build': 'b1' } })
  await expect(worker.install()).rejects.toThrow()
})

test('the builds before are dropped, those of another onemap at the same address are not', async () => {
  await installed('b1')
  stores.set('onemap-shell /north/ b7', new Map())
  stores.set('onemap-picture', new Map())
  await installed('b2')
  expect([...stores.keys()].sort()).toEqual(['onemap-picture', 'onemap-shell /north/ b7', 'onemap-shell-b2'])
})

test('pages below a path leave those beside it alone', async () => {
  routes = { '/north/': pageOf('b1'), '/north/icon.svg': () => new Response('icon'), '/north/assets/a.js': () => new Response('script') }
  const worker = aWorker('b1', '/north/')
  await worker.install()
  routes = {}
  expect([worker.fetch('/'), worker.fetch('/northern'), worker.fetch('/north/api/v1/me')]).toEqual([undefined, undefined, undefined])
  expect(await textOf(worker.fetch('/north/rules'))).toBe('page b1')
})
