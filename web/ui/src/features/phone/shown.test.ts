// What a responder reads on the phone page, and a dispatcher in the alarm bar.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import AlarmBar from '@/features/alerts/alarm/AlarmBar.vue'
import { useAlarm } from '@/features/alerts/alarm/store'
import { useAlerts } from '@/features/alerts/alerts'
import type { Alert } from '@/shared/api/types'
import { setLanguage } from '@/shared/i18n'
import { useSession } from '@/shared/session/session'
import { Browser } from '@/shared/testing/browser'
import { aMe, anAlert, anEvent, at, text } from '@/shared/testing/fixtures'
import { shown } from '@/shared/testing/render'
import { aServer } from '@/shared/testing/server'
import { setServerTime } from '@/shared/time/clock'
import { useWatch } from '@/shared/watch/watch'
import { useUi } from '@/shared/workspace/ui'
import AckButton from './AckButton.vue'
import AlertTakeover from './AlertTakeover.vue'
import { addMissed, type Missed } from './memory'
import MissedBanner from './MissedBanner.vue'
import { usePhone } from './phone'

let stop = () => {}
beforeAll(() => void vi.useFakeTimers())
afterAll(() => void vi.useRealTimers())
beforeEach(() => {
  vi.setSystemTime(Date.parse(at(0)))
  setServerTime(at(0))
  setActivePinia(createPinia())
  setLanguage('zh')
  new Browser()
  aServer({ 'GET /api/v1/divisions': { items: [{ code: '370602', name: text('芝罘区', 'Zhifu'), parent: '3706', lon: 0, lat: 0 }] } })
  vi.stubGlobal('Worker', class { terminate = () => undefined })
  stop = () => {}
})
afterEach(() => {
  stop()
  vi.unstubAllGlobals()
})

function alarmOf(alerts: Alert[], permissions = ['view', 'acknowledge']) {
  useSession().me = aMe({ division: '370602', permissions: permissions as never })
  useAlerts().takeSnapshot({ epoch: 'e', seq: 1, seq_id: 'e1', items: alerts })
  const alarm = useAlarm()
  alarm.page.sound = 'armed'
  alarm.page.notify = 'granted'
  stop = alarm.start()
  return alarm
}
const missed = (...frames: [kind: string, alert: Alert][]) => frames.reduce<Missed[]>((list, [kind, alert], i) => addMissed(list, anEvent(i + 1, kind, { alert, device_level: 0 })), [])

test('who has missed nothing reads nothing', async () => {
  expect((await shown(MissedBanner)).text).toBe('')
})

test('how much was missed is counted by alert, in both languages', async () => {
  usePhone().missed = missed(['alert.issued', anAlert(1)], ['alert.updated', anAlert(1)], ['alert.cleared', anAlert(2)])
  expect((await shown(MissedBanner)).text).toBe('离线期间 2 条 ▾ 知道了')
  setLanguage('en')
  expect((await shown(MissedBanner)).text).toMatch(/\b2\b/)
})

test('a gap is said, with and without single alerts', async () => {
  usePhone().gap = true
  expect((await shown(MissedBanner)).text).toBe('离线时间较长，已重新取回全部告警，请从头核对 知道了')
  usePhone().missed = missed(['alert.issued', anAlert(1)])
  expect((await shown(MissedBanner)).text).toBe('离线时间较长，已重新取回全部告警，请从头核对 离线期间 1 条 ▾ 知道了')
})

test('the button says where a tap is: never that it is done before the server says so', async () => {
  const phone = usePhone()
  const alert = anAlert(1)
  const button = async () => {
    const { text, html } = await shown(AckButton, { alert })
    return [text, / disabled/.test(html)]
  }
  expect(await button()).toEqual(['确认收到', false])
  phone.acks.set(1, { step: 'sending' })
  expect(await button()).toEqual(['正在提交确认…', true])
  phone.acks.set(1, { step: 'waiting' })
  expect(await button()).toEqual(['尚未送达服务器，连接恢复后自动提交 确认收到', false])
  phone.acks.set(1, { step: 'refused', detail: '会话已结束' })
  expect(await button()).toEqual(['服务器未接受：会话已结束 再次确认', false])
  phone.acks.delete(1)
  phone.acks.set(2, { step: 'refused', detail: 'x' }) // of another alert
  expect(await button()).toEqual(['确认收到', false])
})

test('a new alert says what one must know to act, and that this phone cannot be heard', async () => {
  alarmOf([anAlert(1, { level: 1, headline: text('河水上涨', 'River rises') })])
  const alert = useAlerts().all.get(1)!
  const full = (await shown(AlertTakeover, { alert, more: 2, audible: false })).text
  for (const words of ['新告警', '红色', '还有 2 条', '河水上涨', '甲站', '14:00:00', '4 m', '高于 3 m', '声音已关', '确认收到', '暂停 2 分钟']) expect(full).toContain(words)
  const calm = (await shown(AlertTakeover, { alert, more: 0, audible: true })).text
  expect(calm).not.toMatch(/还有|声音已关/)
  setLanguage('en')
  const english = (await shown(AlertTakeover, { alert, more: 0, audible: true })).text
  expect(english).toContain('River rises')
  expect(english).not.toMatch(/\p{Script=Han}/u)
})

test('who may not acknowledge is asked for nothing', async () => {
  alarmOf([anAlert(1)], ['view'])
  const { text: full, html } = await shown(AlertTakeover, { alert: anAlert(1), more: 0, audible: true })
  expect([html.includes('phone-ack'), full.includes('知道了'), full.includes('暂停')]).toEqual([false, true, false])
})

const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', name: 'command', component: AckButton }, { path: '/rules', name: 'rules', component: AckButton }] })
const bar = async () => {
  await router.push('/')
  return shown(AlarmBar, {}, router)
}

test('the bar says that nothing waits only where that is known', async () => {
  alarmOf([])
  expect((await bar()).text).toContain('没有等待处理的告警')
  useWatch().report('feed', { key: 'watch.stale', severity: 'broken', params: { age: '' } })
  const { text: blind } = await bar()
  expect(blind).toContain('目前无法得知是否有新告警')
  expect(blind).not.toContain('没有等待处理')
})

test('the bar names the worst alert, its reading, how many more wait, and why the last try failed', async () => {
  const alarm = alarmOf([anAlert(1, { level: 3 }), anAlert(2, { level: 1, value: 5.5 })])
  await bar() // asks for the names of the divisions
  await vi.advanceTimersByTimeAsync(0)
  const full = (await bar()).text
  for (const words of ['红色', '芝罘区 洪水红色告警', '5.5 m', '还有 1 条', '确认收到', '暂停 2 分钟']) expect(full).toContain(words)
  alarm.acks.set(1, { step: 'refused', detail: 'of another alert' })
  expect((await bar()).at('alarm-refused')).toBe('')
  alarm.acks.set(2, { step: 'refused', detail: '未送达服务器，请重试' })
  expect((await bar()).at('alarm-refused')).toContain('未送达服务器，请重试')
})

test('snoozed alerts are not called nothing', async () => {
  const alarm = alarmOf([anAlert(1), anAlert(2)])
  alarm.snooze()
  expect((await bar()).text).toContain('2 条告警暂停响铃')
})

test('why a page may not be heard stands in the bar, on a wall, too, which has no tools', async () => {
  const alarm = alarmOf([anAlert(1)])
  expect((await bar()).at('alarm-cannot')).toBe('')
  alarm.page.sound = 'suspended'
  await vi.advanceTimersByTimeAsync(0)
  expect((await bar()).at('alarm-cannot')).toContain('声音被浏览器暂停')
  useUi().wall = true
  const wall = await bar()
  expect([wall.at('alarm-cannot').includes('声音被浏览器暂停'), wall.html.includes('alarm-ack'), wall.at('alarm-front') !== '']).toEqual([true, false, true])
})

test('a wall where nothing waits and that can be heard has no bar', async () => {
  alarmOf([])
  useUi().wall = true
  expect((await bar()).text).toBe('')
})

test('an observer sees the alert in the bar, and no button to acknowledge it', async () => {
  alarmOf([anAlert(1)], ['view'])
  const { html } = await bar()
  expect([html.includes('alarm-show'), html.includes('alarm-ack')]).toEqual([true, false])
})
