// How an alert is said in a list, in a card and in one line, and rows that stay under the pointer.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { shallowRef } from 'vue'
import { useDevices } from '@/features/devices/devices'
import type { Alert, DatastreamType, HazardType, Silence } from '@/shared/api/types'
import { setLanguage } from '@/shared/i18n'
import { aDevice, anAlert, aStream, at, text } from '@/shared/testing/fixtures'
import { mounted } from '@/shared/testing/mount'
import { aServer } from '@/shared/testing/server'
import { setServerTime, useNow } from '@/shared/time/clock'
import { useSilences } from './silences/silences'
import { unseenText } from './unseen'
import { useAlertFacts } from './useAlertFacts'
import { useAlertNews } from './useAlertNews'
import { useAlertTitle } from './useAlertTitle'
import { useHeldOrder } from './useHeldOrder'
import { unseenOf } from './useOutOfSight'

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
})
afterEach(() => vi.unstubAllGlobals())

const newsOf = (over: Partial<Alert>) => {
  const { badge, news, reopened } = mounted(() => useAlertNews(() => anAlert(1, { risen_at: at(0), ...over }))).result
  return { badge: badge.value, news: news.value, reopened: reopened.value }
}
const both = (say: () => string) => (['zh', 'en'] as const).map((language) => (setLanguage(language), say()))

test.each<[string, Partial<Alert>, string, string]>([
  ['began', {}, '新', 'New'],
  ['rose just now', { level: 1, risen_from: 3 }, '升级为红色 · 刚刚', 'Rose to red · just now'],
  ['rose a while ago', { level: 1, risen_from: 3, risen_at: at(-90) }, '升级为红色 · 1 分钟前', 'Rose to red · 1 min ago'],
  ['came back', { level: 3, risen_from: 3 }, '数据恢复 · 刚刚', 'Data came back · just now'],
  ['old news', { risen_at: at(-120) }, '', ''],
  ['over', { detection: 'cleared', cleared_at: at(0) }, '', ''],
])('the badge of an alert that %s', (_, over, zh, en) => {
  expect(both(() => newsOf(over).badge.toLowerCase())).toEqual([zh, en.toLowerCase()])
})

test('a red alert flashes for its first seconds, another never', () => {
  expect([newsOf({ level: 1 }).news?.flashing, newsOf({ level: 2 }).news?.flashing, newsOf({ level: 1, risen_at: at(-6) }).news?.flashing]).toEqual([true, false, false])
})

test('the badge goes by itself', () => {
  const { badge } = mounted(() => useAlertNews(() => anAlert(1, { risen_at: at(0) }))).result
  vi.advanceTimersByTime(119_000)
  expect(badge.value).toBe('新')
  vi.advanceTimersByTime(1000)
  expect(badge.value).toBe('')
})

test('why an alert that was handled is open again', () => {
  const reopened = (from: 'acknowledged' | 'resolved', level: 1 | 4, why: 'rise' | 'data') => ({ from, level, why, at: at(0), by: '' }) as unknown as Alert['reopened']
  expect(both(() => newsOf({ level: 1, reopened: reopened('acknowledged', 4, 'rise') }).reopened)).toEqual(['蓝色时已确认，红色未确认', expect.stringMatching(/^acknowledged at blue, not at red$/i)])
  expect(newsOf({ level: 1, reopened: reopened('resolved', 1, 'data') }).reopened).toMatch(/^Resolved before its data stopped/i)
  expect(newsOf({ level: 1, handling: 'acknowledged', reopened: reopened('acknowledged', 4, 'rise') }).reopened).toBe('') // handled by now
  expect(newsOf({}).reopened).toBe('')
})

test('a silenced row says until when and why, a maintenance is called so, and an alert that is over has neither', () => {
  const silence: Silence = { id: 4, kind: 'silence', device_id: 'D1', type: '', division: '', level: 3, reason: '闸门检修', owner: 'o', owner_name: '', starts: at(-60), ends: at(3600), created_at: at(-60), ended_at: null, ended_by: '' }
  useSilences().put(silence)
  const said = (over: Partial<Alert> = {}) => mounted(() => useAlertNews(() => anAlert(1, over))).result.silence.value
  expect(said()).toMatchObject({ id: 4, mark: '已静默', title: '已静默至 15:00（还有 1 小时）：闸门检修' })
  useSilences().put({ ...silence, kind: 'maintenance' })
  expect(said()!.mark).toBe('检修中')
  expect([said({ detection: 'cleared' }), said({ level: 2 }), said({ device_id: 'D2' })]).toEqual([null, null, null])
})

test('readings and thresholds have their type’s decimals, and a newer reading is said beside the alert’s', () => {
  const devices = useDevices()
  const latest = (t: string) => devices.takeSnapshot({ epoch: 'e', seq: 1, seq_id: '', batch: 1, batch_id: '', at: at(0), items: [aDevice({ datastreams: [aStream(1, { latest: { datastream_id: 1, t, v: 5.5, qc: 1, received_at: t } })] })] })
  devices.types.set('water_level', { decimals: 2 } as DatastreamType)
  devices.hazards.set('flood', { instruction: text('撤离', 'Leave') } as HazardType)
  const alert = shallowRef<Alert | undefined>(anAlert(1, { value_at: at(60) }))
  const facts = mounted(() => useAlertFacts(alert)).result
  latest(at(60))
  expect(facts.value).toMatchObject({ reading: '4.00 m', latest: null, threshold: '高于 3.00 m', instruction: '撤离', stream: { id: 1 } })
  latest(at(61))
  alert.value = anAlert(1, { value_at: at(60), direction: 'below' })
  setLanguage('en')
  expect(facts.value).toMatchObject({ latest: { text: '5.50 m', at: at(61) }, threshold: 'below 3.00 m', instruction: 'Leave' })
  alert.value = undefined
  expect(facts.value.reading).toBe('')
})

test('one line says where, what and how bad, once it is over at its worst', async () => {
  aServer({ 'GET /api/v1/divisions': { items: [{ code: '370602', name: text('芝罘区', 'Zhifu'), parent: '3706', lon: 0, lat: 0 }] } })
  const alert = shallowRef<Alert | undefined>(anAlert(1, { level: 3 }))
  const title = mounted(() => useAlertTitle(() => alert.value)).result
  expect(title.value).toBe('洪水黄色告警') // before the names are there
  await vi.advanceTimersByTimeAsync(0)
  expect(title.value).toBe('芝罘区 洪水黄色告警')
  alert.value = anAlert(1, { level: 4, peak_level: 1, detection: 'cleared' })
  setLanguage('en')
  expect(title.value).toMatch(/^Zhifu Flood · red$/i)
  alert.value = undefined
  expect(title.value).toBe('')
})

test('what is out of sight is counted by its two worst levels, and leads to the first', () => {
  const all = [anAlert(4, { level: 3 }), anAlert(5, { level: 2 }), anAlert(6, { level: 1 }), anAlert(7, { level: 1, detection: 'cleared' }), anAlert(8, { level: 1, detection: 'stale' })]
  expect(unseenOf(all)).toEqual({ red: 2, orange: 1, first: 5 })
  expect(unseenOf([])).toEqual({ red: 0, orange: 0, first: null })
  expect(unseenText({ red: 2, orange: 1 })).toBe('2 条红色、1 条橙色')
  expect([unseenText({ red: 0, orange: 3 }), unseenText({ red: 0, orange: 0 })]).toEqual(['3 条橙色', ''])
})

test('rows keep their places while the pointer or the focus is in the list, and no longer than somebody moves', () => {
  const shown = shallowRef([anAlert(1), anAlert(2)])
  const { rows, updates, on } = mounted(() => useHeldOrder(() => shown.value, (id) => shown.value.find((a) => a.id === id))).result
  const ids = () => rows.value.map((a) => a.id)
  const mouse = { pointerType: 'mouse' } as PointerEvent
  const begins = () => (shown.value = [anAlert(3, { level: 1 }), anAlert(2, { level: 2 }), anAlert(1)])
  on.pointerenter({ pointerType: 'touch' } as PointerEvent) // a finger aims at nothing before it taps
  on.pointerenter(mouse)
  begins()
  expect([ids(), updates.value]).toEqual([[1, 2, 3], 2])
  expect(rows.value[1]!.level).toBe(2) // in its place, as it is now
  on.focusin()
  on.pointerleave()
  expect(ids()).toEqual([1, 2, 3])
  on.focusout({ currentTarget: { contains: () => false }, relatedTarget: null } as unknown as FocusEvent)
  expect([ids(), updates.value]).toEqual([[3, 2, 1], 0])
  on.pointerenter(mouse)
  shown.value = [anAlert(2), anAlert(3)]
  vi.advanceTimersByTime(14_000)
  on.pointermove(mouse)
  vi.advanceTimersByTime(14_000)
  expect(ids()).toEqual([3, 2, 1])
  vi.advanceTimersByTime(1000)
  expect(ids()).toEqual([2, 3])
})
