// What a responder reads on the phone page.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { useAlarm } from '@/features/alerts/alarm/store'
import { useAlerts } from '@/features/alerts/alerts'
import type { Alert, Permission } from '@/shared/api/types'
import { setLanguage } from '@/shared/i18n'
import { useSession } from '@/shared/session/session'
import { Browser } from '@/shared/testing/browser'
import { aMe, anAlert, anEvent, at, text } from '@/shared/testing/fixtures'
import { shown } from '@/shared/testing/render'
import { setServerTime } from '@/shared/time/clock'
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
