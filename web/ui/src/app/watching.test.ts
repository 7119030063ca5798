// What the shell says of its own health: the network, the feed, the session, the build, and the last known picture.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { nextTick } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { useAlerts } from '@/features/alerts/alerts'
import { useDevices } from '@/features/devices/devices'
import { onBuild, request, setIdle } from '@/shared/api/client'
import { setLanguage, t } from '@/shared/i18n'
import { useLive } from '@/shared/live/live'
import { useSession } from '@/shared/session/session'
import type { Me } from '@/shared/api/types'
import { Browser, PushServer } from '@/shared/testing/browser'
import { aDevice, aMe, anAlert, at } from '@/shared/testing/fixtures'
import { mounted } from '@/shared/testing/mount'
import { aServer, refusal } from '@/shared/testing/server'
import { setServerTime, useNow } from '@/shared/time/clock'
import { useWatch } from '@/shared/watch/watch'
import { useUi } from '@/shared/workspace/ui'
import { useSessionWatch } from './sessionwatch'
import { useVersionWatch } from './version'
import { useWatchdog } from './watchdog'

let browser: Browser
let push: PushServer
let old = false
const assign = vi.fn()
let pictures: Map<string, string>
beforeAll(() => {
  vi.useFakeTimers()
  useNow() // the page's clock ticks for the life of its module
})
afterAll(() => void vi.useRealTimers())
beforeEach(() => {
  vi.setSystemTime(Date.parse(at(0)))
  setServerTime(at(0))
  setActivePinia(createPinia())
  setLanguage('zh')
  browser = new Browser()
  push = new PushServer()
  old = false
  assign.mockClear()
  Object.assign(location, { assign })
  Object.assign(browser.document, {
    documentElement: { classList: { toggle: (_: string, on: boolean) => (old = on) } },
    querySelector: () => ({ content: 'b1' }),
  })
  pictures = new Map()
  vi.stubGlobal('caches', {
    open: () => Promise.resolve({ put: async (key: string, body: Response) => void pictures.set(key, await body.text()) }),
    match: (key: string) => Promise.resolve(pictures.has(key) ? new Response(pictures.get(key)) : undefined),
    delete: () => Promise.resolve(pictures.clear()),
  })
})
afterEach(async () => {
  useLive().stop()
  await nextTick()
  setIdle(() => false)
  onBuild(() => undefined)
  vi.unstubAllGlobals()
})

const settled = () => vi.advanceTimersByTimeAsync(0)
const said = () => useWatch().problems.map((p) => `${p.part}: ${t(p.key, p.params)}`)
const parts = () => useWatch().problems.map((p) => p.part)

async function connected() {
  const live = useLive()
  live.useSnapshot(() => Promise.resolve({ epoch: 'e', seq: 1, id: 'e1' }))
  await live.start()
  push.welcome(1, true)
  await settled()
  return live
}

test('a page that is off line says since when, once, and no more when it is back', async () => {
  mounted(useWatchdog)
  await connected()
  expect(said()).toEqual([])
  browser.network(false)
  await vi.advanceTimersByTimeAsync(65_000)
  expect(said()).toEqual([expect.stringMatching(/^offline: .*1 分钟/)])
  browser.network(true)
  push.welcome(1, true)
  await settled()
  expect(said()).toEqual([])
})

test('a feed that broke is said after a moment, with its age', async () => {
  mounted(useWatchdog)
  await connected()
  push.close(1006)
  await vi.advanceTimersByTimeAsync(3000)
  expect(parts()).toEqual([])
  await vi.advanceTimersByTimeAsync(7000)
  expect(said()).toEqual([expect.stringMatching(/^feed: .*\d+ 秒/)])
  expect(useWatch().broken).toBe(true)
  push.welcome(1, true)
  await settled()
  expect(parts()).toEqual([])
})

test('each part of the server that fails is a line, gone when it works again', async () => {
  mounted(useWatchdog)
  await connected()
  const down = (...names: string[]) => push.beat({ health: { ok: false, parts: names.map((part) => ({ part, ok: false })) } })
  down('rules', 'broker', 'certificate')
  await settled()
  expect(parts()).toEqual(['part:broker', 'part:certificate', 'part:rules'])
  expect([useWatch().broken, useWatch().blind]).toEqual([false, true])
  down('certificate')
  await settled()
  expect([parts(), useWatch().blind]).toEqual([['part:certificate'], false])
})

test('a connection that is refused has its reason, from the second time on, until it is let in', async () => {
  mounted(useWatchdog)
  const calls = aServer({ 'GET /api/v1/push': refusal(403, { code: 'origin-foreign', params: { origin: 'https://map.example', host: 'b' } }) })
  const live = useLive()
  live.useSnapshot(() => Promise.resolve({ epoch: 'e', seq: 1, id: 'e1' }))
  await live.start()
  const refused = async () => {
    push.close(1006)
    await settled()
    const line = said().find((s) => s.startsWith('origin'))
    await vi.advanceTimersByTimeAsync(6000)
    return line
  }
  expect([await refused(), calls.length]).toEqual([undefined, 0]) // a server that is just starting
  expect([await refused(), calls.length]).toEqual([expect.stringContaining('https://map.example'), 1])
  push.welcome(1, true)
  await settled()
  expect(parts()).toEqual([])
})

/** Who is logged in, by the server's clock of the moment. */
const me = (over: Partial<Me> = {}) => () => aMe({ expires: at(43_200), ends: at(900_000), server: { ...aMe().server, time: new Date().toISOString() }, ...over })
/** Somebody is logged in; answer is what the server says later. */
async function loggedIn(over: Partial<Me> = {}, answer: unknown = me(over)) {
  aServer({ 'POST /api/v1/session': me(over) })
  await useSession().login('me', 'x')
  const calls = aServer({ 'GET /api/v1/me': answer })
  mounted(useSessionWatch)
  await nextTick()
  return calls
}

test('a page in use keeps its session, one that nobody sees and that need not ring does not', async () => {
  const calls = await loggedIn()
  await vi.advanceTimersByTimeAsync(601_000)
  expect(calls).toHaveLength(2)
  browser.see(false)
  await vi.advanceTimersByTimeAsync(3_600_000)
  expect(calls).toHaveLength(2)
  useWatch().armed = true // hidden, and it must ring
  await vi.advanceTimersByTimeAsync(601_000)
  expect(calls.length).toBeGreaterThanOrEqual(4)
  browser.see(true)
  await settled()
  expect(calls.at(-1)!.headers['X-Onemap-Idle']).toBeUndefined()
})

test('an end that the use of the page does not move is told half an hour before, by the city’s clock', async () => {
  await loggedIn({ expires: at(1500), ends: at(1500) })
  expect(said()).toEqual([expect.stringMatching(/^session: .*14:25.*25/)])
  useWatch().problems[0]!.action!.run()
  expect(useWatch().relogin).toBe(true)
})

test('an ended session is said at once, asks for the login without taking the keys from who types, and is noticed to be back', async () => {
  const calls = await loggedIn({}, refusal(401))
  browser.document.activeElement = { matches: () => true }
  useSession().lose()
  await nextTick()
  expect([parts(), useWatch().relogin, useWatch().broken]).toEqual([['session'], false, true])
  await vi.advanceTimersByTimeAsync(11_000)
  expect(calls.length).toBeGreaterThan(0)
  aServer({ 'GET /api/v1/me': me() }) // logged in again in another tab
  await vi.advanceTimersByTimeAsync(11_000)
  expect([parts(), useSession().ended]).toEqual([[], false])
})

test('a display that was revoked asks nobody for a password', async () => {
  await loggedIn({ display: { id: 3, name: 'wall', mode: 'read', start: 'wall' } as never }, refusal(401))
  useSession().lose()
  await nextTick()
  expect([useWatch().relogin, useWatch().problems[0]!.action]).toEqual([false, undefined])
})

const component = { render: () => null }
const aRouter = async () => {
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [{ path: '/', component }, { path: '/other', component }, { path: '/broken', component: () => Promise.reject(new Error('Failed to fetch dynamically imported module')) }],
  })
  await router.push('/')
  return router
}
const answersOf = (build: string) => vi.stubGlobal('fetch', async () => new Response('{}', { headers: { 'X-Onemap-Build': build } }))

test('another build of the server is a line, and is taken on the way to another page, once', async () => {
  const router = await aRouter()
  mounted(useVersionWatch, router)
  answersOf('b1')
  await request('GET', '/x')
  expect(parts()).toEqual([])
  answersOf('b2')
  await request('GET', '/x')
  expect([parts(), useWatch().broken]).toEqual([['version'], false])
  await router.push('/other')
  expect(assign.mock.calls).toEqual([['/other']])
  await router.push('/other')
  expect([assign.mock.calls.length, router.currentRoute.value.path]).toEqual([1, '/other'])
})

test('a page whose sound is armed is not reloaded: nobody would hear the next alarm', async () => {
  const router = await aRouter()
  mounted(useVersionWatch, router)
  useWatch().armed = true
  useUi().wall = true
  answersOf('b2')
  await request('GET', '/x')
  await router.push('/other')
  expect([browser.reload.mock.calls.length, assign.mock.calls.length, parts()]).toEqual([0, 0, ['version']])
})

test('a wall that nobody touches takes the new build by itself', async () => {
  mounted(useVersionWatch, await aRouter())
  useUi().wall = true
  answersOf('b2')
  await request('GET', '/x')
  await request('GET', '/x')
  expect(browser.reload).toHaveBeenCalledTimes(1)
})

test('a part of the page that is gone is loaded anew once; then it is said; off line it is neither', async () => {
  const router = await aRouter()
  mounted(useVersionWatch, router)
  const go = async () => {
    await router.push('/broken').catch(() => undefined)
    await settled()
  }
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  await go()
  expect([assign.mock.calls.length, parts()]).toEqual([0, []])
  answersOf('b2')
  await go()
  expect([assign.mock.calls, parts()]).toEqual([[['/broken']], []])
  await go()
  expect([assign.mock.calls.length, said().length, useWatch().broken]).toEqual([1, 1, true])
})

test('a page that begins without its server shows the last picture, grey and with its age, until it is live', async () => {
  const picture = { at: Date.parse(at(-120)), me: aMe(), alerts: [anAlert(1, { version: 9 })], devices: [aDevice()] }
  pictures.set('/picture', JSON.stringify(picture))
  localStorage.setItem('onemap.last', 'me')
  mounted(useWatchdog)
  await useSession().restore()
  await settled()
  expect([useAlerts().sorted.map((a) => a.id), useDevices().list.length, old]).toEqual([[1], 1, true])
  expect(said()).toEqual([expect.stringMatching(/^picture: .*13:58.*2 分钟/)])
  await connected()
  expect([old, parts()]).toEqual([false, []])
  useAlerts().takeSnapshot({ epoch: 'e', seq: 1, seq_id: 'e1', items: [anAlert(1, { version: 2 })] })
  expect(useAlerts().all.get(1)!.version).toBe(2)
})

test('the picture of somebody else is not shown', async () => {
  pictures.set('/picture', JSON.stringify({ at: 1, me: aMe({ user: 'other' }), alerts: [anAlert(1)], devices: [] }))
  localStorage.setItem('onemap.last', 'me')
  mounted(useWatchdog)
  await useSession().restore()
  await settled()
  expect([useSession().me, useAlerts().loaded]).toEqual([null, false])
})

test('a live page keeps its picture every half minute, one that is not live keeps the last', async () => {
  const stored = () => (pictures.has('/picture') ? (JSON.parse(pictures.get('/picture')!) as { at: number; alerts: unknown[] }) : null)
  useSession().me = aMe()
  mounted(useWatchdog)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(stored()).toBeNull()
  await connected()
  expect(stored()).toMatchObject({ at: Date.parse(at(60)), alerts: [] })
  useAlerts().put(anAlert(1))
  for (let i = 0; i < 3; i++) {
    await vi.advanceTimersByTimeAsync(9000)
    push.beat()
  }
  expect(stored()!.alerts).toEqual([])
  await vi.advanceTimersByTimeAsync(4000)
  expect(stored()!.alerts).toHaveLength(1)
  const kept = stored()!.at
  push.close(1006)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(stored()!.at).toBe(kept)
})
