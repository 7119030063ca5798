import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Alert, Device, Silence } from '@/shared/api/types'
import { anEvent } from '@/shared/testing/fixtures'
import { endOf, groupOf } from './groups'
import { setServerTime } from '@/shared/time/clock'
import { useSession } from '@/shared/session/session'
import { useSilences } from './silences'
import { useViewers } from '../handling/viewers'

beforeEach(() => {
  setActivePinia(createPinia())
  setServerTime(new Date().toISOString()) // the page's clock ticks once a second: it is of now, however slow the machine
})
afterEach(() => vi.unstubAllGlobals())

const at = (s: number) => new Date(Date.now() + s * 1000).toISOString()
const silence = (id: number, over: Partial<Silence> = {}): Silence => ({
  id, kind: 'silence', device_id: 'D1', type: '', division: '', level: 3, reason: 'r', owner: 'o', owner_name: '', starts: at(-60), ends: at(3600), created_at: at(-60), ended_at: null, ended_by: '', ...over,
})
const alert = (over: Partial<Alert> = {}) => ({ device_id: 'D1', property: 'water_level', division: '370602', level: 3, ...over }) as Alert
const device = { id: 'D1', division: '370602', datastreams: [{ type: 'water_level' }] } as unknown as Device
const event = (s: Silence) => anEvent(1, 'silence.changed', { silence: s })

test('a silence of a live event covers its device, never a worse level, and ends by the next event', () => {
  const store = useSilences()
  store.takeEvent(event(silence(1)))
  expect(store.of(alert())?.id).toBe(1)
  expect(store.of(alert({ level: 1 }))).toBeNull()
  expect(store.ofDevice(device).map((s) => s.id)).toEqual([1])
  store.takeEvent(event(silence(1, { ended_at: at(-1), ended_by: 'o' })))
  expect(store.of(alert())).toBeNull()
  expect(store.ofDevice(device)).toEqual([])
})

test('what an event told while the list was on its way is not set back by it', async () => {
  const store = useSilences()
  let answer: (r: Response) => void = () => undefined
  vi.stubGlobal('fetch', () => new Promise<Response>((resolve) => (answer = resolve)))
  const fetched = store.refresh()
  store.takeEvent(event(silence(2)))
  answer(new Response(JSON.stringify({ items: [silence(1)] })))
  await fetched
  expect([...store.all.keys()].sort()).toEqual([1, 2])
  expect(store.loaded).toBe(true)
})

test('a list that cannot be fetched leaves what is known, and says so', async () => {
  const store = useSilences()
  store.put(silence(1))
  vi.useFakeTimers()
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  await store.refresh()
  expect(store.error).toBeTruthy()
  expect([...store.all.keys()]).toEqual([1])
  vi.useRealTimers()
})

test('current, future and past', () => {
  const now = Date.now()
  expect(groupOf(silence(1), now)).toBe('current')
  expect(groupOf(silence(1, { starts: at(60) }), now)).toBe('future')
  expect(groupOf(silence(1, { ends: at(-1) }), now)).toBe('past')
  expect(groupOf(silence(1, { starts: at(60), ended_at: at(-1) }), now)).toBe('past')
  const early = silence(1, { ended_at: at(-5) })
  expect(endOf(early)).toBe(early.ended_at)
})

test('others at an alert: not oneself, each once, who writes first', () => {
  useSession().me = { user: 'me' } as never
  const viewers = useViewers()
  const person = (user: string, acting = false) => ({ user, name: user, division: '', acting })
  viewers.take({ type: 'viewers', alerts: [{ alert: 5, people: [person('me', true), person('a'), person('b'), person('b', true)] }] })
  expect(viewers.others(5)).toMatchObject([{ user: 'b', acting: true }, { user: 'a', acting: false }])
  expect(viewers.others(6)).toEqual([])
  viewers.take({ type: 'viewers', alerts: [] })
  expect(viewers.others(5)).toEqual([])
})

test('a list that could not be fetched is asked for again', async () => {
  vi.useFakeTimers()
  const store = useSilences()
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  await store.refresh()
  vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ items: [silence(4)] })))
  await vi.advanceTimersByTimeAsync(15_000)
  expect([[...store.all.keys()], store.loaded, store.error]).toEqual([[4], true, null])
  vi.useRealTimers()
})

test('of two lists on their way the later question counts, and none for somebody who has left', async () => {
  const store = useSilences()
  const answers: ((r: Response) => void)[] = []
  vi.stubGlobal('fetch', () => new Promise<Response>((resolve) => answers.push(resolve)))
  const [first, second] = [store.refresh(), store.refresh()]
  answers[1]!(new Response(JSON.stringify({ items: [silence(2)] })))
  await second
  answers[0]!(new Response(JSON.stringify({ items: [silence(1)] })))
  await first
  expect([...store.all.keys()]).toEqual([2])
  const third = store.refresh()
  store.forget()
  answers[2]!(new Response(JSON.stringify({ items: [silence(3)] })))
  await third
  expect([store.all.size, store.loaded]).toEqual([0, false])
})

test('a device’s silences: by itself, by type, by division and all below it, the worst level first', () => {
  const store = useSilences()
  store.put(silence(1, { level: 4 }))
  store.put(silence(2, { device_id: '', type: 'water_level', level: 2 }))
  store.put(silence(3, { device_id: '', division: '3706', level: 3 }))
  store.put(silence(4, { device_id: 'D2' }))
  store.put(silence(5, { device_id: '', type: 'rain' }))
  store.put(silence(6, { device_id: '', division: '370611' }))
  store.put(silence(7, { device_id: '' })) // it names nothing
  store.put(silence(8, { starts: at(60) }))
  expect(store.ofDevice(device).map((s) => s.id)).toEqual([2, 3, 1])
})
