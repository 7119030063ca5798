// What the live connection tells, in the stores: the page is as fresh as they are.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import { useAlerts } from '@/features/alerts/alerts'
import { useAlarm } from '@/features/alerts/alarm/store'
import { useViewers } from '@/features/alerts/handling/viewers'
import { useSilences } from '@/features/alerts/silences/silences'
import { useDevices } from '@/features/devices/devices'
import { usePhone } from '@/features/phone/phone'
import { useLive } from '@/shared/live/live'
import { useSession } from '@/shared/session/session'
import { Browser, PushServer } from '@/shared/testing/browser'
import { aDevice, aMe, anAlert, aState, at } from '@/shared/testing/fixtures'
import { mounted } from '@/shared/testing/mount'
import { aServer, refusal, type Call } from '@/shared/testing/server'
import { useUi } from '@/shared/workspace/ui'
import { feedStores } from './feed'
import { useConnection } from './useConnection'
import { usePageStatus } from './usePageStatus'

let push: PushServer
beforeAll(() => void vi.useFakeTimers({ now: Date.parse(at(0)) }))
afterAll(() => void vi.useRealTimers())
beforeEach(() => {
  setActivePinia(createPinia())
  new Browser()
  push = new PushServer()
})
afterEach(() => {
  useLive().stop()
  vi.unstubAllGlobals()
})

const settled = () => vi.advanceTimersByTimeAsync(0)
const devices = (over: object = {}) => ({ epoch: 'e', seq: 5, seq_id: 'e5', batch: 1, batch_id: 'b1', at: at(0), items: [aDevice()], ...over })
const alerts = (over: object = {}) => ({ epoch: 'e', seq: 5, seq_id: 'e5', items: [anAlert(1)], ...over })
/** The server's answers over HTTP; over takes the place of some of them. */
const api = (over: Parameters<typeof aServer>[0] = {}) =>
  aServer({ 'GET /api/v1/devices': devices(), 'GET /api/v1/alerts': alerts(), 'GET /api/v1/silences': { items: [] }, 'GET /api/v1/datastream-types': { items: [], hazard_types: [] }, ...over })
const count = (calls: Call[], path: string) => calls.filter((c) => c.path === `/api/v1/${path}`).length

async function livePage(over: Parameters<typeof aServer>[0] = {}) {
  const calls = api(over)
  feedStores()
  const live = useLive()
  await live.start()
  push.welcome(5, true)
  await settled()
  return { calls, live }
}

test('an alert’s event is in the list, and its level on the device', async () => {
  await livePage()
  push.event(6, 'alert.issued', { alert: anAlert(2, { level: 1 }), device_level: 1 })
  expect([useAlerts().sorted.map((a) => a.id), useDevices().get('D1')!.level]).toEqual([[2, 1], 1])
  push.event(7, 'alert.closed', { alert: anAlert(2, { version: 2, detection: 'cleared', handling: 'closed' }), device_level: 3 })
  expect([useAlerts().sorted.map((a) => a.id), useDevices().get('D1')!.level]).toEqual([[1], 3])
})

test('readings and presence are the devices’', async () => {
  await livePage()
  push.send(aState({ at: at(60), readings: [{ ds: 1, device: 'D1', t: at(60), v: 7, qc: 1 }] }))
  push.event(6, 'presence.changed', { changes: [{ device: 'D1', state: 'offline', reason: 'silence', since: at(61) }], more: 0 }, { at: at(61) })
  push.event(7, 'device.unevaluated', { changes: [{ device: 'D1', reason: 'late', since: at(61) }], more: 0 })
  expect(useDevices().get('D1')).toMatchObject({ online: false, reason: 'silence', unevaluated: 'late', datastreams: [{ latest: { v: 7 } }] })
})

test('a registry that changed is fetched anew', async () => {
  const { calls, live } = await livePage()
  push.event(6, 'registry.changed', {})
  await settled()
  expect([count(calls, 'devices'), live.status]).toEqual([2, 'live'])
})

test('devices that could not be fetched are asked for until they come', async () => {
  await livePage()
  let calls = api({ 'GET /api/v1/devices': refusal(503) })
  push.event(6, 'presence.changed', { changes: [], more: 12 })
  await vi.advanceTimersByTimeAsync(11_000)
  expect([count(calls, 'devices'), useDevices().list.length]).toEqual([3, 1]) // what is known stays meanwhile
  calls = api({ 'GET /api/v1/devices': devices({ seq: 6, seq_id: 'e6', items: [aDevice({ online: false, status_at: at(1) })] }) })
  await vi.advanceTimersByTimeAsync(60_000)
  expect([count(calls, 'devices'), useDevices().get('D1')!.online]).toEqual([1, false])
})

test('nobody asks for devices while there is no connection, or after the page was left', async () => {
  const { live } = await livePage()
  let calls = api({ 'GET /api/v1/devices': refusal(503) })
  push.event(6, 'registry.changed', {})
  await settled()
  push.close(4001) // the session ended
  await vi.advanceTimersByTimeAsync(30_000)
  expect(count(calls, 'devices')).toBe(1)
  live.stop()
  await vi.advanceTimersByTimeAsync(10_000)
  calls = api()
  await live.start()
  push.welcome(5, true)
  await vi.advanceTimersByTimeAsync(15_000)
  expect(count(calls, 'devices')).toBe(1) // the snapshot's own
})

test('positions of the two snapshots: what only one of them holds comes again, and changes nothing twice', async () => {
  await livePage({ 'GET /api/v1/devices': devices({ seq: 4, seq_id: 'e4' }) })
  expect(push.sent('hello')[0]).toMatchObject({ last_seq: 4, last_id: 'e4' })
  push.event(5, 'alert.issued', { alert: anAlert(1), device_level: 3 })
  expect([useAlerts().arrived, useDevices().get('D1')!.level]).toEqual([null, 3])
})

test('snapshots of two logs are none: the page asks again', async () => {
  const { live } = await livePage({ 'GET /api/v1/devices': devices({ epoch: 'f' }) })
  expect(push.sent('hello')[0]).toMatchObject({ epoch: '', last_seq: 0 })
  const calls = api()
  push.close(1006)
  await vi.advanceTimersByTimeAsync(6000)
  push.welcome(5, false)
  await settled()
  expect([count(calls, 'devices'), count(calls, 'alerts'), live.status]).toEqual([1, 1, 'live'])
})

test('after a gap nothing of the past before stays, however new it was', async () => {
  await livePage()
  push.event(6, 'alert.updated', { alert: anAlert(1, { version: 9, level: 1 }), device_level: 1 })
  api({ 'GET /api/v1/alerts': alerts({ seq: 3, seq_id: 'x3', items: [anAlert(1, { version: 2 })] }), 'GET /api/v1/devices': devices({ seq: 3, seq_id: 'x3' }) })
  push.close(1006)
  await vi.advanceTimersByTimeAsync(6000)
  push.welcome(3, false)
  await settled()
  expect([useAlerts().all.get(1)!.level, useDevices().get('D1')!.level]).toEqual([3, 0])
})

test('silences are fetched with the first welcome and after a gap, not after a short break', async () => {
  const { calls } = await livePage()
  expect(count(calls, 'silences')).toBe(1)
  push.welcome(5, true)
  await settled()
  expect(count(calls, 'silences')).toBe(1)
  push.welcome(5, false)
  await settled()
  expect([count(calls, 'silences'), useSilences().loaded]).toEqual([2, true])
})

test('who else looks at an alert is known while the page is live, and not a moment longer', async () => {
  await livePage()
  push.send({ type: 'viewers', alerts: [{ alert: 1, people: [{ user: 'other', name: '他', division: '', acting: true }] }] })
  expect(useViewers().others(1).map((p) => p.user)).toEqual(['other'])
  push.close(1006)
  expect(useViewers().others(1)).toEqual([])
})

/** The pages that a connection is for, and the one that is open. */
async function pages(start: string) {
  const component = { render: () => null }
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [{ path: '/', name: 'command', component }, { path: '/m', name: 'mobile', component }, { path: '/login', name: 'login', component }],
  })
  await router.push(start)
  return router
}

test('one connection for all pages, from the login to the log-out', async () => {
  api()
  const router = await pages('/login')
  const session = useSession()
  const { unmount } = mounted(useConnection, router)
  await settled()
  expect(push.sockets).toHaveLength(0)
  session.me = aMe()
  await settled()
  push.welcome(5, true)
  await router.push('/')
  await settled()
  expect([push.sockets.length, useLive().status, useAlerts().all.size, useDevices().list.length]).toEqual([1, 'live', 1, 1])
  session.me = null
  await settled()
  expect([push.socket.closed, useAlerts().all.size, useDevices().list.length, useSilences().loaded]).toEqual([true, 0, 0, false])
  unmount()
})

test('the phone page’s connection has its own name, and goes on under it until it is left', async () => {
  api()
  const router = await pages('/')
  useSession().me = aMe()
  const { unmount } = mounted(useConnection, router)
  await settled()
  const ofTab = useLive().name
  await router.push('/m')
  await settled()
  expect([useLive().name, push.sockets.length]).toEqual([usePhone().memory.client, 2])
  expect(useLive().name).not.toBe(ofTab)
  push.welcome(5, true)
  await router.push('/')
  await settled()
  expect([push.sockets.length, useLive().status]).toEqual([2, 'live'])
  unmount()
  expect([push.socket.closed, useLive().active]).toEqual([true, false])
})

test('the server is told whether the page would be heard, and which alert it has open', async () => {
  await livePage()
  const [alarm, ui] = [useAlarm(), useUi()]
  const router = await pages('/')
  mounted(usePageStatus, router)
  const last = async () => {
    await vi.advanceTimersByTimeAsync(600)
    return push.sent('status').at(-1)
  }
  expect(await last()).toEqual({ type: 'status', sound: 'off', visible: true, alert: 0, acting: false })
  alarm.page.sound = 'armed'
  ui.alertId = 7
  ui.acting = true
  expect(await last()).toMatchObject({ sound: 'armed', alert: 7, acting: true })
  alarm.page.sound = 'failed' // for the city it is not heard, why is of no interest
  await router.push('/login')
  expect(await last()).toEqual({ type: 'status', sound: 'off', visible: true, alert: 0, acting: false })
  await router.push('/m')
  expect(await last()).toMatchObject({ alert: 1 })
})
