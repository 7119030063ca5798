// The service worker: keeps the pages' own files, so that a reload while the server is away shows the page and not the
// browser's. It keeps no answer of the API. vite.config.ts fills in the build and its files.
{
  const build = '__BUILD__'
  const files = JSON.parse('__FILES__') as string[]
  /** What the pages are below: where this file is. One address may have several onemaps. */
  const base = new URL('./', location.href).pathname
  const prefix = base === '/' ? 'onemap-shell-' : `onemap-shell ${base} `
  const cacheName = prefix + build
  const waitMs = 5000
  /** What is the server's and no page. */
  const served = /^(api|tiles|cap|ws|metrics|healthz|readyz)(\/|$)/

  interface Extendable extends Event {
    waitUntil(work: Promise<unknown>): void
  }
  interface Fetching extends Extendable {
    request: Request
    respondWith(answer: Promise<Response>): void
  }
  interface Worker {
    skipWaiting(): Promise<void>
    clients: { claim(): Promise<void> }
    addEventListener(kind: 'install' | 'activate', f: (event: Extendable) => void): void
    addEventListener(kind: 'fetch', f: (event: Fetching) => void): void
  }
  const worker = self as unknown as Worker

  const install = async () => {
    const cache = await caches.open(cacheName)
    // The page of this very build: one that came meanwhile would ask for other files.
    const page = await fetch(base, { cache: 'no-cache' })
    if (!page.ok || page.headers.get('X-Onemap-Build') !== build) throw new Error('the server has another build by now')
    await cache.put(base, page)
    await cache.addAll(files.map((name) => base + name))
    await worker.skipWaiting()
  }
  const activate = async () => {
    for (const name of await caches.keys()) if (name.startsWith(prefix) && name !== cacheName) await caches.delete(name)
    await worker.clients.claim()
  }

  /** A page from the server; the kept one when it cannot be reached, is late, or a proxy says that it is away. */
  const page = async (request: Request): Promise<Response> => {
    const kept = () => caches.match(base, { cacheName })
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), waitMs)
    try {
      const answer = await fetch(request, { signal: late.signal })
      return answer.status >= 502 && answer.status <= 504 ? ((await kept()) ?? answer) : answer
    } catch (error) {
      const old = await kept()
      if (!old) throw error
      return old
    } finally {
      clearTimeout(timer)
    }
  }
  /** A file with a hash in its name: it never changes, so a kept one is right. */
  const asset = async (request: Request): Promise<Response> => {
    const kept = await caches.match(request, { cacheName })
    if (kept) return kept
    const answer = await fetch(request)
    if (answer.ok) await (await caches.open(cacheName)).put(request, answer.clone())
    return answer
  }

  worker.addEventListener('install', (event) => event.waitUntil(install()))
  worker.addEventListener('activate', (event) => event.waitUntil(activate()))
  worker.addEventListener('fetch', (event) => {
    const { request } = event
    const url = new URL(request.url)
    if (request.method !== 'GET' || url.origin !== location.origin || !url.pathname.startsWith(base)) return
    const name = url.pathname.slice(base.length)
    if (request.mode === 'navigate' && !served.test(name)) event.respondWith(page(request))
    else if (name.startsWith('assets/') || name === 'icon.svg') event.respondWith(asset(request))
  })
}
