// What a dispatcher reads in the alarm bar.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import type { Alert, Permission } from '@/shared/api/types'
import { setLanguage } from '@/shared/i18n'
import { useSession } from '@/shared/session/session'
import { Browser } from '@/shared/testing/browser'
import { aMe, anAlert, at, text } from '@/shared/testing/fixtures'
import { shown } from '@/shared/testing/render'
import { aServer } from '@/shared/testing/server'
import { setServerTime } from '@/shared/time/clock'
import { useWatch } from '@/shared/watch/watch'
import { useUi } from '@/shared/workspace/ui'
import { useAlerts } from '../alerts'
import AlarmBar from './AlarmBar.vue'
import { useAlarm } from './store'

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

function alarmOf(alerts: Alert[], permissions: Permission[] = ['view', 'acknowledge']) {
  useSession().me = aMe({ division: '370602', permissions })
  useAlerts().takeSnapshot({ epoch: 'e', seq: 1, seq_id: 'e1', items: alerts })
  const alarm = useAlarm()
  alarm.page.sound = 'armed'
  alarm.page.notify = 'granted'
  stop = alarm.start()
  return alarm
}
const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', name: 'command', component: { render: () => null } }] })
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
