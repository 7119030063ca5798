// The page's one connection, from the store down to a WebSocket that the test answers.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { aMe, at } from '@/shared/testing/fixtures'
import { Browser, PushServer } from '@/shared/testing/browser'
import { aServer, refusal } from '@/shared/testing/server'
import { useSession } from '@/shared/session/session'
import type { Position } from './client'
import { closeCode } from './frames'
import { useLive } from './live'

let browser: Browser
let server: PushServer
beforeAll(() => void vi.useFakeTimers({ now: Date.parse(at(0)) })) // one for all: the page's clock ticks for the life of its module
afterAll(() => void vi.useRealTimers())
beforeEach(() => {
  setActivePinia(createPinia())
  browser = new Browser()
  server = new PushServer()
})
afterEach(() => {
  useLive().stop()
  vi.unstubAllGlobals()
})

const here: Position = { epoch: 'e', seq: 5, id: 'e5' }
/** A page that is live at here. */
async function livePage() {
  const live = useLive()
  live.useSnapshot(() => Promise.resolve(here))
  await live.start()
  server.welcome(5, true)
  return live
}

test('a page connects from what its snapshots hold, under a name that its tab keeps', async () => {
  const live = await livePage()
  expect(server.socket).toMatchObject({ url: 'wss://map.example/ws', protocol: 'onemap.v1' })
  expect(server.sent('hello')).toEqual([{ type: 'hello', client: live.name, epoch: 'e', last_seq: 5, last_id: 'e5' }])
  expect(live.name).toMatch(/^[0-9a-f]{32}$/)
  expect([live.status, live.untrusted, live.position()]).toEqual(['live', false, here])
  const { name } = live
  live.stop()
  expect([live.status, live.name, live.active, server.socket.closed]).toEqual(['connecting', '', false, true])
  await live.start()
  expect(live.name).toBe(name)
})

test('a page without a snapshot connects all the same, and asks again', async () => {
  const live = useLive()
  const snapshot = vi.fn(() => Promise.reject<Position>(new Error('away')))
  live.useSnapshot(snapshot)
  await live.start()
  server.welcome(5, false)
  expect(server.sent('hello')[0]).toMatchObject({ epoch: '', last_seq: 0 })
  expect([live.status, snapshot.mock.calls.length]).toEqual(['syncing', 2])
})

test('a client of an earlier life does not connect before the snapshot: it would pass over what was missed', async () => {
  const live = useLive()
  let away = true
  live.useSnapshot(() => (away ? Promise.reject(new Error('away')) : Promise.resolve(here)))
  void live.start({ clientId: 'phone', from: { epoch: 'e', seq: 2, id: 'e2' } })
  await vi.advanceTimersByTimeAsync(7000)
  expect(server.sockets).toHaveLength(0)
  away = false
  await vi.advanceTimersByTimeAsync(3000)
  server.welcome(5, true)
  expect(server.sent('hello')).toEqual([{ type: 'hello', client: 'phone', epoch: 'e', last_seq: 2, last_id: 'e2' }])
})

test('a page that is left while its snapshot is on its way does not connect', async () => {
  const live = useLive()
  let arrive: (p: Position) => void = () => undefined
  live.useSnapshot(() => new Promise((resolve) => (arrive = resolve)))
  const started = live.start()
  live.stop()
  arrive(here)
  await started
  expect(server.sockets).toHaveLength(0)
})

test('events come once each, by kind or by the beginning of a kind', async () => {
  const live = await livePage()
  const heard: string[] = []
  const stop = live.onEvent('alert.', (frame) => heard.push(`${frame.kind} ${frame.seq}`))
  live.onEvent('layer.changed', (frame) => heard.push(`layer ${frame.seq}`))
  server.event(6, 'alert.issued', {})
  server.event(6, 'alert.issued', {})
  server.event(7, 'layer.changed', {})
  server.event(8, 'layer.changed.more', {})
  stop()
  server.event(9, 'alert.cleared', {})
  expect(heard).toEqual(['alert.issued 6', 'layer 7'])
  expect(live.position()).toMatchObject({ seq: 9, id: 'e9' })
})

test('a short break is no news, a longer one is, and its end is at once', async () => {
  const live = await livePage()
  server.close(1006)
  expect([live.status, live.untrusted]).toEqual(['stale', false])
  await vi.advanceTimersByTimeAsync(9000)
  expect(live.untrusted).toBe(true)
  expect(server.sockets.length).toBeGreaterThan(1)
  server.welcome(5, true)
  expect([live.status, live.untrusted]).toEqual(['live', false])
})

test('heartbeats that stop are a broken connection', async () => {
  const live = await livePage()
  await vi.advanceTimersByTimeAsync(20_000)
  expect(live.status).toBe('live')
  await vi.advanceTimersByTimeAsync(3000)
  expect(live.status).toBe('stale')
})

test('a machine that goes off line is stale at once, and connects at once when it is back', async () => {
  const live = await livePage()
  browser.network(false)
  expect(live.status).toBe('stale')
  browser.network(true)
  expect(server.sockets).toHaveLength(2)
  server.welcome(5, true)
  expect(live.status).toBe('live')
})

test('a tab that is seen again does not wait for the next try', async () => {
  await livePage()
  browser.see(false)
  server.close(1006)
  browser.see(true)
  expect(server.sockets).toHaveLength(2)
})

test('a session that ended is asked about, and a login goes on where the page stood', async () => {
  const calls = aServer({ 'POST /api/v1/session': aMe(), 'GET /api/v1/me': refusal(401) })
  await useSession().login('me', 'x')
  const live = await livePage()
  server.event(6, 'rule.changed', {})
  server.close(closeCode.sessionEnded)
  expect([live.status, live.reason, live.untrusted]).toEqual(['ended', 'session', true])
  await vi.advanceTimersByTimeAsync(60_000)
  expect(server.sockets).toHaveLength(1)
  expect(calls.at(-1)!.path).toBe('/api/v1/me')
  expect(useSession().ended).toBe(true)
  live.revive()
  expect(live.status).toBe('stale')
  server.welcome(6, true)
  expect(server.sent('hello')[0]).toMatchObject({ last_seq: 6 })
  expect(live.status).toBe('live')
})

test('what a page says of itself is said on every connection, and once', async () => {
  const live = useLive()
  const armed = { sound: 'armed' as const, visible: true, alert: 0, acting: false }
  live.say(armed)
  await livePage()
  live.say({ ...armed })
  expect(server.sent('status')).toEqual([{ type: 'status', ...armed }])
  server.close(1006)
  await vi.advanceTimersByTimeAsync(6000)
  server.welcome(5, true)
  expect(server.sent('status')).toHaveLength(1)
})

test('parts that are down, and who is connected and would hear an alarm, are as the server says', async () => {
  const live = await livePage()
  const rules = { part: 'rules', ok: false, code: 'x' }
  server.beat({ health: { ok: false, parts: [{ part: 'database', ok: true }, rules] } })
  server.send({ type: 'clients', divisions: { 370602: 2 }, armed: { 370602: 1 } })
  expect([live.badParts, live.connected, live.armed]).toEqual([[rules], { 370602: 2 }, { 370602: 1 }])
  server.send({ type: 'clients', divisions: {} })
  expect([live.connected, live.armed]).toEqual([{}, {}])
  server.beat()
  expect(live.badParts).toEqual([])
})

test('nothing that one person’s connection said stays for the next', async () => {
  const live = await livePage()
  server.beat({ health: { ok: false, parts: [{ part: 'rules', ok: false }] } })
  server.send({ type: 'clients', divisions: { 370602: 2 }, armed: { 370602: 1 } })
  live.stop()
  expect([live.badParts, live.connected, live.armed, live.age]).toEqual([[], {}, {}, null])
})

test('the age of the picture is that of the last frame, by the server’s clock', async () => {
  const live = useLive()
  live.useSnapshot(() => Promise.resolve(here))
  await live.start()
  expect(live.age).toBeNull()
  server.welcome(5, true)
  await vi.advanceTimersByTimeAsync(7000)
  expect(live.age).toBe(7)
  server.beat()
  await vi.advanceTimersByTimeAsync(1000)
  expect(live.age).toBe(1)
})
