import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, test, vi } from 'vitest'
import { aDevice, anAlert, anEvent, aState, at } from '@/shared/testing/fixtures'
import type { Alert, Device } from '@/shared/api/types'
import { alertAreas, deviceFeatures, deviceSignature } from '@/features/map/engine/features'
import { boundsOf, distance } from '@/shared/geo/geo'
import { compareAlerts, countByLevel, matches, useAlerts } from './alerts'
import { applyState, healthOf, mergeDevice, useDevices } from '@/features/devices/devices'

beforeEach(() => setActivePinia(createPinia()))

const time = at
const device = aDevice
const alert = anAlert
const event = (seq: number, kind: string, a: Alert, device_level: Alert['level']) => anEvent(seq, kind, { alert: a, device_level })

test('a snapshot sets nothing back that came live while it was on its way', () => {
  const live = device({ online: false, status_at: time(20), last_seen: time(19) })
  live.datastreams![0]!.latest = { datastream_id: 1, t: time(18), v: 9, qc: 1, received_at: time(18) }
  const merged = mergeDevice(device({ level: 1, last_seen: time(10) }), live)
  expect(merged).toMatchObject({ online: false, status_at: time(20), last_seen: time(19), level: 1 })
  expect(merged.datastreams![0]!.latest!.v).toBe(9)
})

test('state moves forward only, and what is unknown is passed over', () => {
  const all = new Map([['D1', device()]])
  const frame = (t: string, v: number) => aState({ at: t, batch: 1, batch_id: 'b1', readings: [{ ds: 1, device: 'D1', t, v, qc: 1 }] })
  expect(applyState(all, frame(time(5), 2))).toBe(true)
  expect(applyState(all, frame(time(4), 3))).toBe(false)
  expect(all.get('D1')!.datastreams![0]!.latest!.v).toBe(2)
  expect(all.get('D1')!.datastreams![0]!.latest!.time_source).toBe(1)
  applyState(all, aState({ at: time(6), batch: 1, batch_id: 'b1', readings: [{ ds: 1, device: 'D1', t: time(6), v: 2, qc: 1, src: 3 }] }))
  expect(all.get('D1')!.datastreams![0]!.latest!.time_source).toBe(3)
  expect(applyState(all, aState({ at: time(9), batch: 2, batch_id: 'b2', readings: [{ ds: 99, device: 'D1', t: time(9), v: 1, qc: 1 }], status: [{ device: 'D9', online: false, at: time(9) }] }))).toBe(false)
  applyState(all, aState({ at: time(9), batch: 3, batch_id: 'b3', status: [{ device: 'D1', online: false, at: time(9) }], seen: { D1: time(8) } }))
  expect(all.get('D1')).toMatchObject({ online: false, last_seen: time(8) })
  expect(applyState(all, aState({ at: time(9), batch: 4, batch_id: 'b4', status: [{ device: 'D1', online: true, at: time(1) }] }))).toBe(false)
})

test('presence of an event that a snapshot holds already changes nothing; one that leaves devices out asks for them', async () => {
  const devices = useDevices()
  devices.takeSnapshot({ epoch: 'e', seq: 7, seq_id: 'e7', batch: 1, batch_id: 'b1', at: '', items: [device()] })
  const told = (seq: number, more = 0) => ({
    ...event(seq, 'presence.changed', alert(1), 0), at: time(300),
    payload: { changes: [{ device: 'D1', state: 'offline', reason: 'silence', since: time(1) }], more },
  })
  await devices.takePresence(told(7))
  expect(devices.all.get('D1')!.online).toBe(true)
  await devices.takePresence(told(8))
  expect(devices.all.get('D1')).toMatchObject({ online: false, reason: 'silence' })
  expect(devices.online).toBe(0)
  const asked: string[] = []
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(url)
    return new Response(JSON.stringify(url.includes('types') ? { items: [], hazard_types: [] } : { epoch: 'e', seq: 9, seq_id: 'e9', batch: 2, batch_id: 'b2', at: '', items: [device({ id: 'D2' })] }))
  })
  await devices.takePresence(told(9, 40))
  expect(asked.some((url) => url.includes('/devices?'))).toBe(true)
  expect([...devices.all.keys()]).toEqual(['D2'])
  vi.unstubAllGlobals()
})

test('a device whose readings are not evaluated is marked by its event, and by no older one', async () => {
  const devices = useDevices()
  devices.takeSnapshot({ epoch: 'e', seq: 7, seq_id: 'e7', batch: 1, batch_id: 'b1', at: '', items: [device()] })
  const told = (seq: number, reason: string) => ({
    ...event(seq, 'device.unevaluated', alert(1), 0), at: time(300), payload: { changes: [{ device: 'D1', reason, since: time(1) }], more: 0 },
  })
  await devices.takeUnevaluated(told(7, 'late'))
  expect(devices.all.get('D1')!.unevaluated).toBeFalsy()
  await devices.takeUnevaluated(told(8, 'late'))
  expect(devices.all.get('D1')).toMatchObject({ unevaluated: 'late', unevaluated_since: time(1) })
  await devices.takeUnevaluated(told(9, ''))
  expect(devices.all.get('D1')).toMatchObject({ unevaluated: '', unevaluated_since: undefined })
})

test('a reading of now ends a silence; one that is as old as the silence does not', () => {
  const quiet = () => {
    const d = device()
    d.datastreams![0]!.stale_since = time(0)
    return new Map([['D1', d]])
  }
  const heard = quiet()
  applyState(heard, aState({ at: time(500), batch: 1, batch_id: 'b1', readings: [{ ds: 1, device: 'D1', t: time(499), v: 2, qc: 1 }] }))
  expect(heard.get('D1')!.datastreams![0]!.stale_since).toBeNull()
  const late = quiet()
  applyState(late, aState({ at: time(500), batch: 1, batch_id: 'b1', readings: [{ ds: 1, device: 'D1', t: time(60), v: 2, qc: 1 }] }))
  expect(late.get('D1')!.datastreams![0]!.stale_since).toBe(time(0))
})

test('alerts are ordered active, worst, newest', () => {
  const all = [alert(1, { level: 4 }), alert(2, { level: 1, detection: 'cleared' }), alert(3, { level: 2 }), alert(4, { level: 2 }), alert(5, { level: 1 })]
  expect(all.sort(compareAlerts).map((a) => a.id)).toEqual([5, 4, 3, 1, 2])
  expect(countByLevel(all)).toEqual([0, 1, 2, 0, 1])
})

test('the filter takes levels, handling, words and cleared ones', () => {
  const f = { levels: [], handling: [], query: '', cleared: true }
  expect(matches(alert(1), f)).toBe(true)
  expect(matches(alert(1), { ...f, levels: [1] })).toBe(false)
  expect(matches(alert(1), { ...f, handling: ['assigned'] })).toBe(false)
  expect(matches(alert(1), { ...f, query: 'station' })).toBe(true)
  expect(matches(alert(1, { detection: 'cleared' }), { ...f, cleared: false })).toBe(false)
})

test('an older version never replaces a newer one, and a closed episode leaves the list', () => {
  const store = useAlerts()
  store.takeSnapshot({ epoch: 'e', seq: 5, seq_id: 'e5', items: [alert(1, { version: 3, handling: 'acknowledged' })] })
  store.takeEvent(event(4, 'alert.issued', alert(1, { version: 1 }), 3))
  expect(store.all.get(1)!.handling).toBe('acknowledged')
  store.takeEvent(event(6, 'alert.closed', alert(1, { version: 4, detection: 'cleared', handling: 'closed' }), 0))
  expect(store.all.has(1)).toBe(false)
})

test('a new alert and a risen one are arrivals; an acknowledgement is none', () => {
  const store = useAlerts()
  store.takeEvent(event(1, 'alert.issued', alert(1, { level: 2 }), 2))
  expect(store.arrived).toMatchObject({ id: 1, level: 2 })
  const first = store.arrived!.n
  store.takeEvent(event(2, 'alert.acknowledged', alert(1, { level: 2, version: 2, handling: 'acknowledged' }), 2))
  expect(store.arrived!.n).toBe(first)
  store.takeEvent(event(3, 'alert.updated', alert(1, { level: 1, version: 3 }), 1))
  expect(store.arrived).toMatchObject({ id: 1, level: 1, n: first + 1 })
})

test('a snapshot of another epoch drops what was held', () => {
  const store = useAlerts()
  store.takeSnapshot({ epoch: 'old', seq: 9, seq_id: 'e9', items: [alert(1, { version: 9 })] })
  store.takeSnapshot({ epoch: 'new', seq: 1, seq_id: 'e1', items: [alert(1, { version: 1 })] })
  expect(store.all.get(1)!.version).toBe(1)
  const devices = useDevices()
  devices.takeSnapshot({ epoch: 'old', seq: 1, seq_id: 'e1', batch: 1, batch_id: 'b1', at: '', items: [device({ online: false, status_at: time(99) })] })
  devices.takeSnapshot({ epoch: 'new', seq: 1, seq_id: 'e1', batch: 1, batch_id: 'b1', at: '', items: [device()] })
  expect(devices.all.get('D1')!.online).toBe(true)
})

test('what the map draws of a device: level, rank and age', () => {
  const features = deviceFeatures([device({ level: 1 }), device({ id: 'D2' })], (d) => d.id === 'D2')
  expect(features.features.map((f) => f.properties)).toMatchObject([{ rank: 1, level: 1, stale: 0 }, { rank: 9, level: 0, stale: 1 }])
  expect(deviceSignature(features)).not.toBe(deviceSignature(deviceFeatures([device(), device({ id: 'D2' })], () => true)))
})

test('areas of active alerts are drawn, a cleared one’s only while it is chosen', () => {
  const all = [alert(1), alert(2, { detection: 'cleared' }), alert(3, { area: [] })]
  expect(alertAreas(all, null).features).toHaveLength(1)
  expect(alertAreas(all, 2).features.map((f) => f.properties)).toMatchObject([{ id: 1, chosen: false }, { id: 2, chosen: true }])
  expect(boundsOf(all[0]!.area)).toEqual([121, 37, 121.1, 37.1])
  expect(boundsOf([])).toBeNull()
})

test('distances are right to a thousandth', () => {
  // One degree of latitude on the mean sphere.
  expect(distance([121, 37], [121, 38]) / 111_195).toBeCloseTo(1, 3)
})

test.each([
  [600, 0, 0, { all: 600, missing: 0, tone: 'ok' }],
  [570, 30, 0, { all: 600, missing: 30, tone: 'ok' }], // 95 %
  [569, 31, 0, { all: 600, missing: 31, tone: 'warn' }],
  [480, 120, 0, { all: 600, missing: 120, tone: 'warn' }], // 80 %
  [479, 121, 0, { all: 600, missing: 121, tone: 'bad' }],
  [1, 599, 0, { all: 600, missing: 599, tone: 'bad' }],
  [10, 0, 590, { all: 10, missing: 0, tone: 'ok' }], // switched off by a steward: not missed
  [0, 0, 0, { all: 0, missing: 0, tone: 'ok' }],
])('the health of %i devices with data, %i off line, %i switched off', (on, off, disabled, want) => {
  const some = (n: number, over: Partial<Device>) => Array.from({ length: n }, () => device(over))
  const all = [...some(on, {}), ...some(off, { online: false }), ...some(disabled, { enabled: false, online: false })]
  expect(healthOf(all, Date.parse(time(10)))).toEqual(want)
})

test('devices on line whose readings stopped have no data', () => {
  expect(healthOf([device(), device()], Date.parse(time(3600)))).toEqual({ all: 2, missing: 2, tone: 'bad' })
})

test('after a welcome that recovers nothing, a snapshot of the same epoch takes the place of what was held', () => {
  const store = useAlerts()
  store.takeSnapshot({ epoch: 'e', seq: 9, seq_id: 'e9', items: [alert(1, { version: 9 })] })
  store.doubt()
  store.takeSnapshot({ epoch: 'e', seq: 8, seq_id: 'x8', items: [alert(1, { version: 1 })] })
  expect(store.all.get(1)!.version).toBe(1)
  const devices = useDevices()
  devices.takeSnapshot({ epoch: 'e', seq: 1, seq_id: 'e1', batch: 1, batch_id: 'b1', at: '', items: [device({ online: false, status_at: time(99) })] })
  devices.doubt()
  devices.takeSnapshot({ epoch: 'e', seq: 1, seq_id: 'x1', batch: 1, batch_id: 'x1', at: '', items: [device()] })
  expect(devices.all.get('D1')!.online).toBe(true)
})
