// What a page says around a handling step: what others did meanwhile, what is possible, and the question before an alert is put away.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { nextTick, shallowRef } from 'vue'
import { useDevices } from '@/features/devices/devices'
import type { Alert, AlertAction, DatastreamType } from '@/shared/api/types'
import { setLanguage } from '@/shared/i18n'
import { useLive } from '@/shared/live/live'
import { useSession } from '@/shared/session/session'
import { Browser, PushServer } from '@/shared/testing/browser'
import { aDevice, aMe, anAlert, aStream, at } from '@/shared/testing/fixtures'
import { mounted } from '@/shared/testing/mount'
import { aServer, refusal } from '@/shared/testing/server'
import { setServerTime } from '@/shared/time/clock'
import { useAlertDetail } from '../useAlertDetail'
import { useMeanwhile } from './useMeanwhile'
import { usePossible } from './usePossible'
import { useStillFiring } from './useStillFiring'

let push: PushServer
beforeAll(() => void vi.useFakeTimers())
afterAll(() => void vi.useRealTimers())
beforeEach(() => {
  vi.setSystemTime(Date.parse(at(0)))
  setServerTime(at(0))
  setActivePinia(createPinia())
  setLanguage('zh')
  new Browser()
  push = new PushServer()
})
afterEach(() => {
  useLive().stop()
  vi.unstubAllGlobals()
})

const settled = () => vi.advanceTimersByTimeAsync(0)
const told = (seq: number, alert: Alert, actor = '') => push.event(seq, 'alert.updated', { alert, device_level: alert.level }, { subject: String(alert.id), actor })
async function live() {
  const page = useLive()
  useSession().me = aMe()
  page.useSnapshot(() => Promise.resolve({ epoch: 'e', seq: 0, id: '' }))
  await page.start()
  push.welcome(0, true)
}
const mark = (user: string, name: string) => ({ division: '370602', user, name, level: 3 as const, at: at(5), current: true })

/** An open alert that somebody reads. */
async function reading(first = anAlert(1)) {
  await live()
  const alert = shallowRef(first)
  const { result } = mounted(() => useMeanwhile(() => alert.value))
  return { alert, lines: () => result.lines.value.map((l) => l.text), sending: result.sending, own: result.own }
}

test('what others do to an open alert is told with who did it, in both languages, the newest last', async () => {
  const { lines } = await reading()
  told(1, anAlert(1, { version: 2, handling: 'acknowledged', updated_at: at(0), confirmations: [mark('zhang', '张三')] }), 'zhang')
  told(2, anAlert(1, { version: 3, handling: 'assigned', assignee: '李四', updated_at: at(0), confirmations: [mark('zhang', '张三')] }), 'wang')
  told(3, anAlert(1, { version: 4, handling: 'new', level: 1, updated_at: at(0), confirmations: [mark('zhang', '张三')] }))
  expect(lines()).toEqual(['张三 zhang 刚刚确认', 'wang 刚刚交办给 李四', '刚刚由黄色升级为红色', '刚刚重新待处置'])
  setLanguage('en')
  expect(lines().slice(0, 3)).toEqual(['张三 zhang acknowledged it just now', 'wang assigned it to 李四 just now', expect.stringMatching(/^It rose from yellow to red just now/i)])
  told(4, anAlert(1, { version: 5, detection: 'stale', handling: 'new', level: 1, updated_at: at(-300), confirmations: [mark('zhang', '张三')] }))
  expect(lines()).toHaveLength(4)
  expect(lines().at(-1)).toBe('Its data stopped 5 min ago')
})

test('an event that comes twice, of another alert or of an older version tells nothing', async () => {
  const { lines } = await reading(anAlert(1, { version: 3 }))
  told(1, anAlert(2, { version: 9, level: 1 }))
  told(2, anAlert(1, { version: 2, level: 1 }))
  expect(lines()).toEqual([])
  const next = anAlert(1, { version: 4, handling: 'resolved' })
  told(3, next, 'wang')
  told(4, next, 'wang')
  expect(lines()).toHaveLength(1)
})

test('the own step tells nothing, whether its event or its answer comes first; the same account elsewhere is told', async () => {
  const { lines, sending, own } = await reading()
  sending.value = true
  told(1, anAlert(1, { version: 2, handling: 'acknowledged' }), 'me')
  own(anAlert(1, { version: 2, handling: 'acknowledged' }))
  sending.value = false
  expect(lines()).toEqual([])
  told(2, anAlert(1, { version: 3, handling: 'resolved', updated_at: at(0) }), 'me')
  expect(lines()).toEqual(['您的账号（另一处） 刚刚办结'])
  own(anAlert(1, { version: 4, handling: 'closed' }))
  expect(lines()).toEqual([])
})

test('after a gap the difference of the versions is told, without who it was', async () => {
  const { alert, lines } = await reading()
  alert.value = anAlert(1, { version: 5, handling: 'resolved', updated_at: at(0) })
  await settled()
  expect(lines()).toEqual(['其他人 刚刚办结'])
  alert.value = anAlert(2) // another alert is opened
  await settled()
  expect(lines()).toEqual([])
})

const possible = (version: number, steps: AlertAction[] | undefined) => ({ alert: anAlert(1, { version, possible: steps }) })

test('after an event it is not known what is possible until the server is asked, once for a burst', async () => {
  const alert = shallowRef(anAlert(1, { version: 1, possible: ['acknowledge', 'close'] }))
  const { result } = mounted(() => usePossible(() => alert.value))
  expect([result.known.value, result.steps.value]).toEqual([true, ['acknowledge', 'close']])
  const calls = aServer({ 'GET /api/v1/alerts/1': possible(3, ['close']) })
  alert.value = anAlert(1, { version: 2 })
  await nextTick()
  expect([result.known.value, result.steps.value]).toEqual([false, ['acknowledge', 'close']]) // drawn, and disabled
  alert.value = anAlert(1, { version: 3 })
  await vi.advanceTimersByTimeAsync(500)
  expect([result.known.value, result.steps.value, calls.length]).toEqual([true, ['close'], 1])
  await vi.advanceTimersByTimeAsync(60_000)
  expect(calls).toHaveLength(1)
  alert.value = anAlert(1, { version: 4 })
  await nextTick()
  expect(result.known.value).toBe(false) // the answer was of the version before
})

test('steps that could not be asked for are asked for again, and an answer without any is none', async () => {
  let calls = aServer({ 'GET /api/v1/alerts/1': refusal(503) })
  const { result } = mounted(() => usePossible(() => anAlert(1)))
  await vi.advanceTimersByTimeAsync(500)
  expect([result.known.value, result.error.value !== null, calls.length]).toEqual([false, true, 1])
  calls = aServer({ 'GET /api/v1/alerts/1': possible(1, undefined) })
  await vi.advanceTimersByTimeAsync(4000)
  expect([result.known.value, result.steps.value, result.error.value, calls.length]).toEqual([true, [], null, 1])
})

test('an answer about an alert that is no longer open says nothing of the one that is', async () => {
  const alert = shallowRef(anAlert(1))
  let answer: (a: object) => void = () => undefined
  aServer({ 'GET /api/v1/alerts/1': () => new Promise((resolve) => (answer = resolve)), 'GET /api/v1/alerts/2': { alert: anAlert(2, { possible: ['assign'] }) } })
  const { result } = mounted(() => usePossible(() => alert.value))
  await vi.advanceTimersByTimeAsync(500)
  alert.value = anAlert(2)
  answer(possible(9, ['close']))
  await vi.advanceTimersByTimeAsync(500)
  expect(result.steps.value).toEqual(['assign'])
})

const readings = (...values: [v: number, qc?: number][]) => ({ points: values.map(([v, qc = 1], i) => ({ datastream_id: 1, t: at(-1800 + i * 300), v, qc, received_at: at(0) })) })

async function question(alert: Alert, action: AlertAction, chart: object | Response = readings()) {
  aServer({ 'GET /api/v1/datastreams/1/chart': chart })
  useDevices().types.set('water_level', { decimals: 2 } as DatastreamType)
  const { result } = mounted(() => useStillFiring(() => alert, () => action))
  await settled()
  return result.question.value
}

test('putting away what still fires is asked about, with the reading, how far over, and where it goes', async () => {
  const firing = anAlert(1, { level: 2, value: 4.5, threshold: 3 })
  expect(await question(firing, 'close', readings([4], [4.2], [4.5]))).toBe('读数仍在上升（4.50 m，超橙色 50 %），确定关闭告警？')
  expect(await question(firing, 'resolve', readings([6], [5], [4.5]))).toBe('读数在下降，但仍未解除（4.50 m，超橙色 50 %），确定办结？')
  setLanguage('en')
  expect(await question(firing, 'close', readings([4.5], [4.5], [4.5]))).toMatch(/^The reading has not gone down \(4\.50 m, 50 % over/)
  expect(await question(firing, 'close', readings([4], [99, 4], [4.5]))).toMatch(/rising/) // out of range does not count
  expect(await question(firing, 'close', refusal(503))).toMatch(/^The alarm is still firing/)
})

test('where the danger is below, a reading that gets worse goes down', async () => {
  const low = anAlert(1, { level: 3, direction: 'below', value: 1.5, threshold: 3 })
  expect(await question(low, 'close', readings([2], [1.8], [1.5]))).toBe('读数仍在下降（1.50 m，低于黄色阈值 50 %），确定关闭告警？')
  expect(await question(low, 'close', readings([1], [1.2], [1.5]))).toBe('读数在回升，但仍未解除（1.50 m，低于黄色阈值 50 %），确定关闭告警？')
  expect(await question(low, 'close', readings([1.5], [1.5]))).toContain('没有回升')
  setLanguage('en')
  expect(await question(low, 'close', readings([2], [1.5]))).toMatch(/^The reading is still going down \(1\.50 m, 50 % below the yellow threshold\)/i)
})

test('a reading that is safe again, and data that stopped, have their own question; what has cleared and what puts nothing away has none', async () => {
  const devices = useDevices()
  devices.all.set('D1', aDevice({ datastreams: [aStream(1, { latest: { datastream_id: 1, t: at(60), v: 2, qc: 1, received_at: at(60) } })] }))
  expect(await question(anAlert(1), 'close')).toBe('读数已不再越过阈值（2.00 m），但尚未解除，确定关闭告警？')
  devices.all.clear()
  expect(await question(anAlert(1, { detection: 'stale' }), 'resolve')).toContain('数据已中断')
  expect(await question(anAlert(1, { detection: 'cleared' }), 'close')).toBe('')
  expect(await question(anAlert(1), 'acknowledge')).toBe('')
})

test('the card of an alert is fetched anew by its events, and keeps what it has when it cannot be', async () => {
  await live()
  const id = shallowRef(1)
  const detail = (n: number) => ({ alert: anAlert(n), deliveries: [], history: [] })
  const routes = { 'GET /api/v1/alerts/1': detail(1), 'GET /api/v1/alerts/2': detail(2) }
  const calls = aServer(routes)
  const { result } = mounted(() => useAlertDetail(id))
  await settled()
  const asked = () => calls.filter((c) => c.path.startsWith('/api/v1/alerts/')).map((c) => c.path.slice(-1)).join('')
  expect(asked()).toBe('1')
  expect(result.failed.value).toBe(true) // its chart could not be had
  told(1, anAlert(1, { version: 2 }))
  told(2, anAlert(7, { version: 2 }))
  await settled()
  expect(asked()).toBe('11')
  id.value = 2
  await settled()
  expect([asked(), result.detail.value]).toEqual(['112', null])
})
