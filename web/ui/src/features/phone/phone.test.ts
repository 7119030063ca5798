// The phone page's store with its real neighbours: taps that wait for the network, and what was missed.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { nextTick } from 'vue'
import { useAlarm } from '@/features/alerts/alarm/store'
import { useAlerts } from '@/features/alerts/alerts'
import type { Alert } from '@/shared/api/types'
import { useLive } from '@/shared/live/live'
import { useSession } from '@/shared/session/session'
import { Browser, PushServer } from '@/shared/testing/browser'
import { aMe, anAlert, at } from '@/shared/testing/fixtures'
import { aServer, refusal, type Call } from '@/shared/testing/server'
import { memoryKey } from './memory'
import { usePhone } from './phone'

const unit = '370602'
const key = memoryKey('me')
const client = 'a'.repeat(32)
let browser: Browser
let push: PushServer
const stops: (() => void)[] = []

beforeAll(() => void vi.useFakeTimers({ now: Date.parse(at(0)) }))
afterAll(() => void vi.useRealTimers())
beforeEach(() => {
  setActivePinia(createPinia())
  browser = new Browser()
  push = new PushServer()
  vi.stubGlobal('Worker', class { terminate = () => undefined })
})
afterEach(() => {
  stops.splice(0).forEach((stop) => stop())
  vi.unstubAllGlobals()
})

const settled = () => vi.advanceTimersByTimeAsync(0)
const kept = () => JSON.parse(localStorage.getItem(key)!) as { client: string; position: unknown; pending: unknown[] }
const keep = (memory: object) => localStorage.setItem(key, JSON.stringify({ client, position: null, pending: [], ...memory }))
const acked = (id: number, over: Partial<Alert> = {}) =>
  anAlert(id, { handling: 'acknowledged', version: 2, updated_at: at(9), confirmations: [{ division: unit, user: 'me', name: '我', level: 3, at: at(9), current: true }], ...over })
const path = (id: number) => `/api/v1/alerts/${id}/acknowledge`

/** A responder's phone with these alerts; not connected yet. */
function aPhone(items: Alert[], seq = 5) {
  const [session, alerts, alarm, live, phone] = [useSession(), useAlerts(), useAlarm(), useLive(), usePhone()]
  session.me = aMe({ division: unit, role: 'county_responder', permissions: ['view', 'acknowledge'] })
  alerts.takeSnapshot({ epoch: 'e', seq, seq_id: `e${seq}`, items })
  live.onEvent('alert.', alerts.takeEvent)
  live.useSnapshot(() => Promise.resolve({ epoch: 'e', seq, id: `e${seq}` }))
  stops.push(alarm.start())
  const begin = phone.start()
  stops.push(phone.stop, live.stop)
  return { session, alerts, alarm, live, phone, begin }
}
/** The same, live. */
async function livePhone(items: Alert[], seq = 5) {
  const all = aPhone(items, seq)
  await all.live.start(all.begin)
  push.welcome(seq, true)
  await settled()
  return all
}

test('a phone keeps its name and its place in the log over a reload', async () => {
  const { phone, begin } = await livePhone([])
  expect(begin.from).toBeUndefined()
  push.event(6, 'alert.issued', { alert: anAlert(1), device_level: 3 })
  await settled()
  expect(kept()).toMatchObject({ client: begin.clientId, position: { epoch: 'e', seq: 6, id: 'e6' } })
  phone.stop()
  expect(phone.start()).toEqual({ clientId: begin.clientId, from: { epoch: 'e', seq: 6, id: 'e6' } })
})

test('a tap that the server took is done, and is not sent again', async () => {
  const { phone } = await livePhone([anAlert(1)])
  const calls = aServer({ [`POST ${path(1)}`]: { alert: acked(1) }, 'GET /api/v1/alerts/1': { alert: acked(1) } })
  expect(phone.asks(phone.list[0]!)).toBe(true)
  const sent = phone.acknowledge(1, 3)
  void phone.acknowledge(1, 3)
  expect([phone.acks.get(1), kept().pending]).toEqual([{ step: 'sending' }, [{ id: 1, level: 3 }]])
  await sent
  await settled()
  expect(calls.filter((c) => c.method === 'POST').map((c) => c.body)).toEqual([{ level: 3 }])
  expect([phone.acks.size, kept().pending, phone.takeover]).toEqual([0, [], null])
  expect([phone.done(phone.list[0]!), phone.asks(phone.list[0]!)]).toEqual([true, false])
})

test('a tap without network waits, is tried every five seconds, and at once when the network is back', async () => {
  const { phone, alerts } = await livePhone([anAlert(1)])
  const tries = vi.fn(() => Promise.reject(new TypeError('no network')))
  vi.stubGlobal('fetch', tries)
  await phone.acknowledge(1, 3)
  expect([phone.acks.get(1), kept().pending, tries.mock.calls.length]).toEqual([{ step: 'waiting' }, [{ id: 1, level: 3 }], 1])
  await vi.advanceTimersByTimeAsync(5000)
  expect([phone.acks.get(1), tries.mock.calls.length]).toEqual([{ step: 'waiting' }, 2])
  expect(phone.done(alerts.all.get(1)!)).toBe(false)
  const calls = aServer({ [`POST ${path(1)}`]: { alert: acked(1) } })
  browser.network(true)
  await settled()
  expect([calls[0]!.body, kept().pending, phone.done(alerts.all.get(1)!)]).toEqual([{ level: 3 }, [], true])
})

test.each([429, 500, 503])('a server that answers %i is asked again', async (status) => {
  const { phone } = await livePhone([anAlert(1)])
  aServer({ [`POST ${path(1)}`]: refusal(status) })
  await phone.acknowledge(1, 3)
  expect(phone.acks.get(1)).toEqual({ step: 'waiting' })
})

test('two taps that wait are both sent, each at its own level', async () => {
  const { phone } = await livePhone([anAlert(1, { level: 2 }), anAlert(2, { level: 4 })])
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  await Promise.all([phone.acknowledge(1, 2), phone.acknowledge(2, 4)])
  const calls = aServer({ [`POST ${path(1)}`]: { alert: acked(1) }, [`POST ${path(2)}`]: { alert: acked(2) } })
  await vi.advanceTimersByTimeAsync(5000)
  expect(calls.filter((c) => c.method === 'POST').map((c) => [c.path, c.body])).toEqual([[path(1), { level: 2 }], [path(2), { level: 4 }]])
  expect(kept().pending).toEqual([])
})

test('a tap from before a reload is sent when the page is live', async () => {
  keep({ pending: [{ id: 1, level: 3 }, 2] })
  const calls = aServer({ [`POST ${path(1)}`]: { alert: acked(1) }, [`POST ${path(2)}`]: { alert: acked(2) } })
  const { live, begin } = aPhone([anAlert(1), anAlert(2)])
  await settled()
  const posts = () => calls.filter((c) => c.method === 'POST').map((c) => [c.path, c.body])
  expect(posts()).toEqual([])
  await live.start(begin)
  push.welcome(5, true)
  await settled()
  expect(posts()).toEqual([[path(1), { level: 3 }], [path(2), {}]]) // of the second the level was not kept
  expect(kept().pending).toEqual([])
})

test('a second tap, at the level that the screen says by now, takes the place of the first', async () => {
  const { phone } = await livePhone([anAlert(1, { level: 3 })])
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  await phone.acknowledge(1, 3)
  push.event(6, 'alert.updated', { alert: anAlert(1, { level: 1, version: 2, risen_at: at(8), risen_from: 3 }), device_level: 1 })
  await phone.acknowledge(1, 1)
  expect(kept().pending).toEqual([{ id: 1, level: 1 }])
  const calls = aServer({ [`POST ${path(1)}`]: { alert: acked(1, { level: 1, version: 3 }) } })
  await vi.advanceTimersByTimeAsync(5000)
  expect(calls[0]!.body).toEqual({ level: 1 })
})

test('a tap on an alert that has risen since is refused, and the alert is asked about as it is', async () => {
  const { phone, alarm } = await livePhone([anAlert(1, { level: 3 })])
  const risen = anAlert(1, { level: 1, version: 2, risen_at: at(8), risen_from: 3 })
  aServer({ [`POST ${path(1)}`]: refusal(409, { code: 'alert-risen', params: { level: 'red' } }), 'GET /api/v1/alerts/1': { alert: risen, deliveries: [] } })
  phone.dismiss(phone.takeover!)
  expect(phone.takeover).toBeNull()
  await phone.acknowledge(1, 3)
  expect(phone.acks.get(1)!.step).toBe('refused')
  expect([phone.takeover?.level, kept().pending, alarm.unanswered.length]).toEqual([1, [], 1])
})

test('a refusal ends a tap and is said; what was refused is not sent again by itself', async () => {
  const { phone } = await livePhone([anAlert(1)])
  const calls = aServer({ [`POST ${path(1)}`]: refusal(403) })
  await phone.acknowledge(1, 3)
  const state = phone.acks.get(1)!
  expect(state.step === 'refused' && state.detail).toMatch(/\p{Script=Han}/u)
  browser.network(true)
  await vi.advanceTimersByTimeAsync(20_000)
  expect([calls.filter((c) => c.method === 'POST').length, kept().pending]).toEqual([1, []])
})

test('a refusal is said only while the alert asks for a tap', async () => {
  const { phone } = await livePhone([anAlert(1)])
  aServer({ [`POST ${path(1)}`]: refusal(403) })
  await phone.acknowledge(1, 3)
  push.event(6, 'alert.updated', { alert: anAlert(1, { version: 2, value: 5 }), device_level: 3 })
  expect(phone.acks.get(1)?.step).toBe('refused')
  push.event(7, 'alert.acknowledged', { alert: acked(1, { version: 3 }), device_level: 3 }, { actor: 'other' })
  expect(phone.acks.has(1)).toBe(false)
})

test('a tap after the session’s end waits for the next login', async () => {
  const { phone } = await livePhone([anAlert(1)])
  aServer({ [`POST ${path(1)}`]: refusal(401) })
  await phone.acknowledge(1, 3)
  expect([phone.acks.size, kept().pending]).toEqual([0, [{ id: 1, level: 3 }]])
  const calls = aServer({ [`POST ${path(1)}`]: { alert: acked(1) } })
  push.close(4001)
  await settled()
  useLive().revive()
  push.welcome(5, true)
  await settled()
  expect(calls.some((c) => c.method === 'POST')).toBe(true)
  expect(kept().pending).toEqual([])
})

test('what happened while the phone was away is told by alert; what comes after, and one’s own steps, are not', async () => {
  keep({ position: { epoch: 'e', seq: 2, id: 'e2' } })
  const { phone, alarm } = await livePhone([anAlert(1, { version: 4 })], 5)
  const news: unknown[] = []
  alarm.onNews((all) => news.push(...all.map((n) => n.alert.id)))
  const [over, mine] = [anAlert(7, { level: 1 }), anAlert(1, { version: 3 })]
  push.event(3, 'alert.issued', { alert: over, device_level: 1 })
  push.event(4, 'alert.acknowledged', { alert: mine, device_level: 3 }, { actor: 'me' })
  push.event(5, 'alert.closed', { alert: { ...over, version: 2, detection: 'cleared', handling: 'closed' }, device_level: 0 })
  push.event(6, 'alert.updated', { alert: anAlert(1, { version: 5 }), device_level: 3 })
  await nextTick()
  expect(phone.missed.map((m) => [m.id, m.kind, m.fresh])).toEqual([[7, 'alert.closed', true]])
  expect([phone.gap, news, phone.list.map((a) => a.id)]).toEqual([false, [], [1]]) // over before we came back: no alarm
  phone.forgetMissed()
  expect(phone.missed).toEqual([])
})

test('away for so long that everything is sent anew: that is said, until it is read', async () => {
  keep({ position: { epoch: 'e', seq: 2, id: 'e2' } })
  const { phone, live, begin } = aPhone([anAlert(1)])
  await live.start(begin)
  push.welcome(5, false)
  await settled()
  expect([phone.gap, phone.missed]).toEqual([true, []])
  phone.forgetMissed()
  expect(phone.gap).toBe(false)
})

test('a first visit has missed nothing', async () => {
  const { phone, live, begin } = aPhone([])
  live.useSnapshot(() => Promise.reject(new Error('away')))
  await live.start(begin)
  push.welcome(5, false)
  await settled()
  expect(phone.gap).toBe(false)
})

test('the worst alert that waits takes the screen; later leaves it chosen, and the next one comes', async () => {
  const { phone } = await livePhone([anAlert(1, { level: 3 }), anAlert(2, { level: 1 }), acked(3, { level: 1 })])
  expect([phone.takeover?.id, phone.waiting, phone.focus?.id, phone.list.map((a) => a.id)]).toEqual([2, 1, 2, [2, 1, 3]])
  phone.dismiss(phone.takeover!)
  await nextTick()
  expect([phone.takeover?.id, phone.waiting]).toEqual([1, 0])
  phone.dismiss(phone.takeover!)
  await nextTick()
  expect([phone.takeover, phone.focus?.id]).toEqual([null, 1])
  push.event(6, 'alert.issued', { alert: anAlert(4, { level: 2, risen_at: at(60) }), device_level: 2 })
  await nextTick()
  expect([phone.takeover?.id, phone.waiting, phone.focus?.id]).toEqual([2, 2, 2]) // a new alert ends every snooze
})

test('who may only look is not asked to acknowledge', async () => {
  const { phone, session } = await livePhone([anAlert(1)])
  session.me = aMe({ division: unit, permissions: ['view'] })
  expect(phone.asks(anAlert(1))).toBe(false)
})

test('deliveries are those of the alert in view, and follow its events', async () => {
  const detail = (connected: string[]) => ({ alert: anAlert(1), deliveries: [{ division: unit, connected }, { division: '370611', connected: [] }] })
  let calls = aServer({ 'GET /api/v1/alerts/1': detail([]) })
  const { phone } = await livePhone([anAlert(1), anAlert(2, { level: 4 })])
  expect(calls.map((c: Call) => c.path)).toEqual(['/api/v1/alerts/1'])
  expect(phone.own(1)).toEqual({ division: unit, connected: [] })
  calls = aServer({ 'GET /api/v1/alerts/1': detail(['x']) })
  push.event(6, 'alert.updated', { alert: anAlert(1, { version: 2 }), device_level: 3 })
  push.event(7, 'alert.updated', { alert: anAlert(2, { version: 2, level: 4 }), device_level: 4 })
  await settled()
  expect([calls.length, phone.own(1)]).toEqual([1, { division: unit, connected: ['x'] }])
})

test('nothing stays when the page is left, but what is on its way', async () => {
  const { phone } = await livePhone([anAlert(1)])
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  await phone.acknowledge(1, 3)
  phone.stop()
  expect([phone.chosen, phone.missed, phone.acks.size, phone.confirmed.size, phone.details.size, phone.gap]).toEqual([null, [], 0, 0, 0, false])
  expect(kept().pending).toEqual([{ id: 1, level: 3 }])
  const tries = vi.fn(() => Promise.reject(new TypeError('no network')))
  vi.stubGlobal('fetch', tries)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(tries).not.toHaveBeenCalled()
})
