// What a map follows: a goal to go to, the stores that it draws, the server's tiles, and its own life.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { nextTick, ref, shallowRef } from 'vue'
import { useAlarm } from '@/features/alerts/alarm/store'
import { useAlerts } from '@/features/alerts/alerts'
import { useSilences } from '@/features/alerts/silences/silences'
import { useDevices } from '@/features/devices/devices'
import { useLayers } from '@/features/layers/layers'
import type { Alert, Silence } from '@/shared/api/types'
import { useLive } from '@/shared/live/live'
import { useSession } from '@/shared/session/session'
import { Browser, PushServer } from '@/shared/testing/browser'
import { aDevice, aLayer, aMe, anAlert, aState, at } from '@/shared/testing/fixtures'
import { mounted } from '@/shared/testing/mount'
import { aServer, refusal } from '@/shared/testing/server'
import { setServerTime, useNow } from '@/shared/time/clock'
import { useWatch } from '@/shared/watch/watch'
import { useUi } from '@/shared/workspace/ui'
import type { MapController } from './engine/controller'
import type { DeviceProps } from './engine/features'
import { useFreshTiles } from './useFreshTiles'
import { useGoal } from './useGoal'
import { useLiveMap, type LifeEvents } from './useLiveMap'
import { useMapSources } from './useMapSources'
import { useMeasure } from './useMeasure'
import { useTour } from './useTour'

let browser: Browser
beforeAll(() => {
  vi.useFakeTimers()
  useNow() // the page's clock ticks for the life of its module
})
afterAll(() => void vi.useRealTimers())
beforeEach(() => {
  vi.setSystemTime(Date.parse(at(0)))
  setServerTime(at(0))
  setActivePinia(createPinia())
  browser = new Browser()
  Object.assign(browser.document, { querySelectorAll: () => [], createElement: () => ({ style: {} }) })
})
afterEach(() => {
  useLive().stop()
  vi.unstubAllGlobals()
})

const settled = () => vi.advanceTimersByTimeAsync(0)
const alertsOf = (...items: Alert[]) => void useAlerts().takeSnapshot({ epoch: 'e', seq: 1, seq_id: '', items })
const devicesOf = (...items: ReturnType<typeof aDevice>[]) => void useDevices().takeSnapshot({ epoch: 'e', seq: 1, seq_id: '', batch: 1, batch_id: '', at: at(0), items })

/** A map of 1000 by 600 that remembers where it was sent. */
function aMap() {
  const moves: unknown[][] = []
  let point = { x: 500, y: 300 }
  const map = {
    map: { isMoving: () => false, project: () => point },
    flyTo: (center: number[], zoom: number | undefined) => moves.push(['flyTo', center, zoom]),
    fit: (bounds: number[], _: unknown, options: object) => moves.push(['fit', bounds, options]),
    nudge: (way: number[]) => moves.push(['nudge', way]),
  }
  return { map: map as unknown as MapController, moves, stands: (x: number, y: number) => (point = { x, y }) }
}
function goals(ready = true) {
  const { map, moves, stands } = aMap()
  const host = { clientWidth: 1000, clientHeight: 600, getBoundingClientRect: () => ({ left: 0, top: 0, right: 1000, bottom: 600 }) } as HTMLElement
  const opened = ref(ready)
  const { result } = mounted(() => useGoal(ref(host), shallowRef(map), opened))
  return { ...result, moves, stands, opened }
}
/** A panel over the left of the map. */
const covered = (right: number) => Object.assign(browser.document, { querySelectorAll: () => [{ dataset: {}, getBoundingClientRect: () => ({ left: 0, top: 0, right, bottom: 600, width: right, height: 600 }) }] })

test('a goal waits for the map, and a newer one takes its place', async () => {
  const { commands, moves, opened } = goals(false)
  commands.flyTo([120, 36])
  commands.flyTo([121, 37], 9)
  await settled()
  expect(moves).toEqual([])
  opened.value = true
  await settled()
  expect(moves).toEqual([['flyTo', [121, 37], 9]])
})

test('an alert is gone to when the list is there, one that is not in it is asked for', async () => {
  const { commands, moves } = goals()
  const calls = aServer({ 'GET /api/v1/alerts/9': { alert: anAlert(9, { lon: 120, lat: 36, area: [] }) } })
  commands.reveal({ kind: 'alert', id: 1 })
  await settled()
  expect([moves, calls]).toEqual([[], []])
  alertsOf(anAlert(1))
  await settled()
  expect(moves).toEqual([['fit', [121, 37, 121.1, 37.1], expect.objectContaining({ ms: 900, least: 12 })]])
  commands.reveal({ kind: 'alert', id: 9 })
  await settled()
  expect(moves.at(-1)).toEqual(['flyTo', [120, 36], 12])
})

test('a goal is kept while the server is away, and given up where there is no such thing', async () => {
  const { commands, moves } = goals()
  vi.stubGlobal('fetch', async () => refusal(503))
  commands.reveal({ kind: 'feature', layer: 'hospital', id: '7' })
  await settled()
  vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ geometry: { type: 'Point', coordinates: [121.2, 37.2] }, properties: {} })))
  await vi.advanceTimersByTimeAsync(4000)
  expect(moves).toEqual([['flyTo', [121.2, 37.2], 13.2]])
  vi.stubGlobal('fetch', async () => refusal(404))
  commands.reveal({ kind: 'feature', layer: 'hospital', id: '8' })
  await vi.advanceTimersByTimeAsync(20_000)
  expect(moves).toHaveLength(1)
})

test('a device that there is not is no goal once the devices are known', async () => {
  const { commands, moves } = goals()
  commands.reveal({ kind: 'device', id: 'D9' })
  await settled()
  devicesOf(aDevice())
  await settled()
  expect(moves).toEqual([])
  commands.reveal({ kind: 'device', id: 'D1' })
  await settled()
  expect(moves).toEqual([['flyTo', [121, 37], 13.2]])
})

test('who moves the map by hand gives up what it was going to', async () => {
  const { commands, moves, taken, opened } = goals(false)
  commands.flyTo([121, 37])
  taken()
  opened.value = true
  await settled()
  expect(moves).toEqual([])
})

test('a link opens the map at its alert at once, unless it has a view of its own', async () => {
  useUi().alertId = 1
  alertsOf(anAlert(1))
  const first = goals(false)
  first.opened.value = true
  await settled()
  expect(first.moves).toMatchObject([['fit', expect.anything(), { ms: 0 }]])
  useUi().view = { zoom: 9, lon: 121, lat: 37 }
  const second = goals(false)
  second.opened.value = true
  await settled()
  expect(second.moves).toEqual([])
})

test('what a card is about does not stay under a panel, until the viewer moves the map', async () => {
  devicesOf(aDevice())
  const { moves, stands, rested, taken, selection } = goals()
  stands(100, 300)
  covered(300)
  useUi().openCard({ kind: 'device', id: 'D1' })
  await settled()
  expect(selection.value?.at).toEqual([121, 37])
  const way = moves.at(-1) as ['nudge', [number, number]]
  expect([way[0], way[1][0] > 200, way[1][1]]).toEqual(['nudge', true, 0])
  stands(500, 300)
  rested()
  expect(moves).toHaveLength(1)
  stands(100, 300)
  taken()
  rested()
  expect(moves).toHaveLength(1)
})

interface Drawn {
  devices: DeviceProps[][]
  areas: unknown[]
  flashes: unknown[]
}
function sources(opened = ref(true)) {
  const drawn: Drawn = { devices: [], areas: [], flashes: [] }
  const map = {
    setData: (name: string, data: { features: { properties: DeviceProps }[] }) => {
      if (name === 'devices') drawn.devices.push(data.features.map((f) => f.properties))
      if (name === 'alert-areas') drawn.areas.push(data.features.map((f) => f.properties.id))
    },
    flash: (...args: unknown[]) => drawn.flashes.push(args),
  } as unknown as MapController
  const chosen = shallowRef<number | null>(null)
  const { result: fill } = mounted(() => useMapSources(shallowRef(map), opened, { alert: () => chosen.value, selection: () => null, readingsMs: 1000 }))
  return { drawn, chosen, fill }
}

test('a level is drawn at once, readings at their pace, and the same picture is not drawn twice', async () => {
  devicesOf(aDevice())
  const { drawn, fill } = sources()
  fill()
  expect(drawn.devices).toMatchObject([[{ level: 0, stale: 0 }]])
  useDevices().setLevel('D1', 1)
  await settled()
  expect(drawn.devices.at(-1)).toMatchObject([{ level: 1 }])
  useDevices().takeState(aState({ at: at(1), readings: [{ ds: 1, device: 'D1', t: at(1), v: 9, qc: 1 }] }))
  await vi.advanceTimersByTimeAsync(3000)
  expect(drawn.devices).toHaveLength(2) // it looks the same
  useDevices().takeState(aState({ at: at(4), status: [{ device: 'D1', online: false, at: at(4) }] }))
  await vi.advanceTimersByTimeAsync(2000)
  expect(drawn.devices.at(-1)).toMatchObject([{ level: 1, stale: 1 }])
})

test('a device that falls silent turns grey by time alone, and a silence marks it', async () => {
  devicesOf(aDevice())
  const { drawn, fill } = sources()
  fill()
  await vi.advanceTimersByTimeAsync(200_000)
  expect(drawn.devices.at(-1)).toMatchObject([{ stale: 1, silenced: 0 }])
  useSilences().put({ id: 1, kind: 'silence', device_id: 'D1', type: '', division: '', level: 3, reason: '', starts: at(0), ends: at(9999), ended_at: null } as unknown as Silence)
  await vi.advanceTimersByTimeAsync(1500)
  expect(drawn.devices.at(-1)).toMatchObject([{ silenced: 1 }])
})

test('a burst of levels costs few drawings, and the last is on the map', async () => {
  devicesOf(aDevice(), aDevice({ id: 'D2' }))
  const { drawn } = sources()
  for (let i = 0; i < 20; i++) {
    useDevices().setLevel(i % 2 ? 'D1' : 'D2', ((i % 4) + 1) as 1)
    await nextTick()
  }
  useDevices().setLevel('D1', 1)
  await vi.advanceTimersByTimeAsync(1000)
  expect(drawn.devices.length).toBeLessThan(5)
  expect(drawn.devices.at(-1)![0]).toMatchObject({ id: 'D1', level: 1 })
})

test('areas follow the alerts, that of one that is over while it is chosen', async () => {
  alertsOf(anAlert(1), anAlert(2, { detection: 'cleared' }))
  const { drawn, chosen, fill } = sources()
  fill()
  expect(drawn.areas).toEqual([[1]])
  chosen.value = 2
  await settled()
  expect(drawn.areas.at(-1)).toEqual([1, 2])
  useAlerts().put(anAlert(3))
  await vi.advanceTimersByTimeAsync(400)
  expect(drawn.areas.at(-1)).toEqual([1, 2, 3])
})

test('a rise flashes once where it is, also one that came before the map was open', async () => {
  alertsOf(anAlert(1, { level: 1, risen_at: at(-3600) }))
  const opened = ref(false)
  const { drawn } = sources(opened)
  useAlerts().put(anAlert(2, { level: 2, risen_at: at(-2), lon: 120 }))
  await settled()
  expect(drawn.flashes).toEqual([])
  opened.value = true
  await settled()
  expect(drawn.flashes).toEqual([[[120, 37], 2]])
  useAlerts().put(anAlert(3, { level: 3 })) // yellow does not flash
  useAlerts().put(anAlert(1, { level: 1, version: 2, risen_at: at(1) }))
  await settled()
  expect(drawn.flashes.slice(1)).toEqual([[[121, 37], 1]])
})

test('tiles are refreshed by their notice, all of them after a welcome; the catalogue follows, also after a failure', async () => {
  const push = new PushServer()
  const live = useLive()
  live.useSnapshot(() => Promise.resolve({ epoch: 'e', seq: 1, id: 'e1' }))
  const told: string[] = []
  const tiles = { notice: (frame: { layers: { layer: string }[] }) => told.push(frame.layers[0]!.layer), doubt: () => told.push('all') }
  const routes = { 'GET /api/v1/sources': { attribution: '' } }
  const catalogue = (calls: ReturnType<typeof aServer>) => calls.filter((c) => c.path === '/api/v1/layers').length
  let calls = aServer({ ...routes, 'GET /api/v1/layers': { items: [aLayer('land')], themes: [] } })
  mounted(() => useFreshTiles(shallowRef({ tiles } as unknown as MapController)))
  await live.start()
  push.welcome(1, true)
  const notice = () => push.send({ type: 'tiles', at: at(0), all: false, layers: [{ layer: 'land', ranges: [[8, 1, 1, 2, 2]] }] })
  notice()
  notice()
  expect(told).toEqual(['all', 'land', 'land'])
  await vi.advanceTimersByTimeAsync(5000)
  expect([catalogue(calls), useLayers().get('land')?.name]).toEqual([1, 'land'])
  calls = aServer({ ...routes, 'GET /api/v1/layers': refusal(503) })
  push.event(2, 'layer.changed', {})
  await settled()
  expect([catalogue(calls), useLayers().error?.status, useLayers().items.length]).toEqual([1, 503, 1])
  aServer({ ...routes, 'GET /api/v1/layers': { items: [aLayer('land'), aLayer('sea')], themes: [] } })
  await vi.advanceTimersByTimeAsync(2000)
  expect([useLayers().items.length, useLayers().error]).toEqual([2, null])
})

/** A map that can be lost, in a page. make tells whether one can be made. */
function aLife(make: () => boolean = () => true) {
  const made: { events: LifeEvents; removed: boolean }[] = []
  const host = { append: () => undefined, replaceChildren: () => undefined } as unknown as HTMLElement
  const fill = vi.fn()
  const { result, unmount } = mounted(() =>
    useLiveMap(ref(host), (_, events) => {
      if (!make()) throw new Error('Failed to initialize WebGL')
      const entry = { events, removed: false }
      made.push(entry)
      return { remove: () => (entry.removed = true) } as unknown as MapController
    }, fill),
  )
  const problem = () => useWatch().problems.find((p) => p.part === 'map')?.key
  return { ...result, made, fill, problem, unmount }
}

test('a graphics context that comes back by itself is no news', () => {
  const { made, opened, problem } = aLife()
  made[0]!.events.ready()
  expect([opened.value, problem()]).toEqual([true, undefined])
  made[0]!.events.lost(true)
  vi.advanceTimersByTime(900)
  made[0]!.events.lost(false)
  made[0]!.events.ready()
  vi.advanceTimersByTime(60_000)
  expect([made.length, opened.value, problem()]).toEqual([1, true, undefined])
})

test('a lost map is said, and made anew until one can be made, then filled', () => {
  let works = true
  const { made, opened, problem, fill, broken } = aLife(() => works)
  made[0]!.events.ready()
  made[0]!.events.lost(true)
  works = false
  vi.advanceTimersByTime(1000)
  expect([opened.value, problem()]).toEqual([false, 'watch.map'])
  vi.advanceTimersByTime(3000)
  expect([made[0]!.removed, problem(), broken.value]).toEqual([true, 'watch.mapLost', expect.stringMatching(/\p{Script=Han}/u)])
  works = true
  vi.advanceTimersByTime(8000)
  expect([made.length, fill.mock.calls.length, broken.value]).toEqual([2, 2, ''])
  made[1]!.events.ready()
  vi.advanceTimersByTime(120_000)
  expect([made.length, opened.value, problem()]).toEqual([2, true, undefined])
})

test('a map that is left is taken down, and no other is made', () => {
  const { made, unmount, problem } = aLife()
  made[0]!.events.lost(true)
  vi.advanceTimersByTime(2000)
  unmount()
  vi.advanceTimersByTime(120_000)
  expect([made.length, made[0]!.removed, problem()]).toEqual([1, true, undefined])
})

test('a wall shows each red and orange alert in turn, then the city, and at once what comes to the front', async () => {
  vi.stubGlobal('Worker', class { terminate = () => undefined })
  useSession().me = aMe()
  alertsOf(anAlert(1, { level: 2 }), anAlert(2, { level: 1 }), anAlert(3, { level: 4 }), anAlert(4, { level: 1, detection: 'cleared' }))
  const [ui, alarm] = [useUi(), useAlarm()]
  const home = vi.fn()
  const { unmount } = mounted(() => useTour(home))
  vi.advanceTimersByTime(60_000)
  expect(ui.alertId).toBeNull() // no wall
  ui.wall = true
  await nextTick()
  const shown: (number | null)[] = []
  for (let i = 0; i < 4; i++) {
    vi.advanceTimersByTime(12_000)
    shown.push(ui.alertId)
  }
  expect([shown, home.mock.calls.length]).toEqual([[2, 1, null, 2], 1])
  const stop = alarm.start()
  useAlerts().put(anAlert(5, { level: 1, risen_at: at(60) }))
  await nextTick()
  await nextTick()
  expect(ui.alertId).toBe(5)
  stop()
  unmount()
})

test('a line is measured point by point, and a click after its end begins another', async () => {
  const drawn: number[] = []
  const drawing: boolean[] = []
  const { add, length } = mounted(() => useMeasure((data) => drawn.push(data.features.length), (on) => drawing.push(on))).result
  useUi().measuring = true
  await nextTick()
  add([121, 37], false)
  expect(length.value).toBe('')
  add([121, 37.01], false)
  expect(length.value).toBe('1.11')
  add([121, 38], false)
  expect([length.value, drawn.at(-1)]).toEqual(['111.2', 4]) // three points and the line
  add([121, 38], true)
  add([120, 36], false)
  expect([length.value, drawn.at(-1)]).toEqual(['', 1])
  useUi().measuring = false
  await nextTick()
  expect([drawing, drawn.at(-1)]).toEqual([[true, false], 0])
})
