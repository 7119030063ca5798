// The alarm of a page with its real stores: what rings, what is in front, and what becomes of an acknowledgement.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { nextTick } from 'vue'
import type { Alert, Silence } from '@/shared/api/types'
import { setLanguage } from '@/shared/i18n'
import { useLive } from '@/shared/live/live'
import { useSession } from '@/shared/session/session'
import { Browser, PushServer } from '@/shared/testing/browser'
import { aMe, anAlert, at } from '@/shared/testing/fixtures'
import { aServer, refusal, type Call } from '@/shared/testing/server'
import { mapRebuilding as broken, useWatch } from '@/shared/watch/watch'
import { useAlerts } from '../alerts'
import { useSilences } from '../silences/silences'
import { useAlarm } from './store'

let tick: () => void = () => undefined
const terminate = vi.fn()
class FakeWorker {
  onmessage: (() => void) | null = null
  terminate = terminate
  constructor() {
    tick = () => this.onmessage?.()
  }
}

beforeAll(() => void vi.useFakeTimers({ now: Date.parse(at(0)) }))
afterAll(() => void vi.useRealTimers())
let stop = () => {}
beforeEach(() => {
  vi.setSystemTime(Date.parse(at(0)))
  setActivePinia(createPinia())
  setLanguage('zh')
  new Browser()
  vi.stubGlobal('Worker', FakeWorker)
})
afterEach(() => {
  stop()
  useLive().stop()
  vi.unstubAllGlobals()
})

const list = (items: Alert[]) => ({ epoch: 'e', seq: 1, seq_id: 'e1', items })
const seconds = (n: number) => {
  for (let i = 0; i < n; i++) {
    vi.advanceTimersByTime(1000)
    tick()
  }
}

/** A page of a county that can be heard, with these alerts. */
function page(items: Alert[], division = '370602') {
  const [alerts, alarm, session] = [useAlerts(), useAlarm(), useSession()]
  session.me = aMe({ division })
  alarm.page.sound = 'armed'
  const rings: string[] = []
  const news: string[] = []
  alarm.onRing((tone) => rings.push(tone))
  alarm.onNews((all) => news.push(...all.map((n) => `${n.why} ${n.alert.id}`)))
  alerts.takeSnapshot(list(items))
  stop = alarm.start()
  return { alerts, alarm, rings, news }
}
const confirmed = (id: number, over: Partial<Alert> = {}, division = '370602') =>
  anAlert(id, { handling: 'acknowledged', version: 2, confirmations: [{ division, user: 'u', name: 'u', level: 3, at: at(5), current: true }], ...over })

test('what is open when the page opens rings, and is found open; what begins later rings again', async () => {
  const { alerts, alarm, rings, news } = page([anAlert(1, { level: 2 })])
  expect([rings, news, alarm.front?.id]).toEqual([['orange'], ['open 1'], 1])
  seconds(5)
  alerts.put(anAlert(2, { level: 1, risen_at: at(5) }))
  await nextTick()
  expect([rings, news]).toEqual([['orange', 'red'], ['open 1', 'began 2']])
  expect([alarm.front?.id, alarm.unanswered.map((a) => a.id), alarm.level]).toEqual([2, [2, 1], 1])
})

test('nothing rings before the alerts are known, or for nobody', async () => {
  const { alarm, rings } = page([])
  useAlerts().forget()
  useAlerts().put(anAlert(1, { level: 1 }))
  await nextTick()
  expect([rings, alarm.front]).toEqual([[], null])
  useAlerts().takeSnapshot(list([anAlert(1, { level: 1 })]))
  useSession().me = null
  await nextTick()
  expect([rings, alarm.front]).toEqual([[], null])
})

test('a red alert rings every half minute, faster after two minutes, until it is answered', async () => {
  const { alerts, rings } = page([anAlert(1, { level: 1 })])
  seconds(120)
  expect(rings).toHaveLength(5)
  seconds(60)
  expect(rings).toHaveLength(11)
  alerts.put(confirmed(1, { level: 1 }))
  await nextTick()
  seconds(300)
  expect(rings).toHaveLength(11)
})

test('an alert in front is the same object from second to second: nothing is drawn again for the clock', () => {
  const { alarm } = page([anAlert(1), anAlert(2)])
  const { front, unanswered, counts } = alarm
  seconds(3)
  expect(alarm.front).toBe(front)
  expect(alarm.unanswered).toBe(unanswered)
  expect(alarm.counts).toBe(counts)
})

test('a snooze lasts two minutes, and the rise of any alert ends it', async () => {
  const { alerts, alarm, rings } = page([anAlert(1, { level: 2 }), anAlert(2, { level: 3 })])
  alarm.snooze()
  expect([alarm.front, alarm.snoozed.map((a) => a.id), alarm.voice]).toEqual([null, [1, 2], 'none'])
  expect([alarm.isUnanswered(anAlert(1)), alarm.waits(anAlert(1))]).toEqual([false, true])
  seconds(119)
  expect(rings).toEqual(['orange'])
  seconds(1)
  expect([alarm.front?.id, rings]).toEqual([1, ['orange', 'orange']])
  alarm.snooze()
  alerts.put(anAlert(2, { level: 1, version: 2, risen_at: at(200), risen_from: 3 }))
  await nextTick()
  expect([alarm.unanswered.map((a) => a.id), rings.at(-1)]).toEqual([[2, 1], 'red'])
})

test('a silence keeps an alert quiet up to its end, and never a worse one', async () => {
  const silence: Silence = { id: 1, kind: 'silence', device_id: 'D1', type: '', division: '', level: 2, reason: 'r', owner: 'o', owner_name: '', starts: at(-10), ends: at(30), created_at: at(-10), ended_at: null, ended_by: '' }
  useSilences().put(silence)
  const { alerts, alarm, rings } = page([anAlert(1, { level: 2 })])
  expect([rings, alarm.front, [...alarm.silenced], alarm.silencing(anAlert(1, { level: 2 }))?.id]).toEqual([[], null, [1], 1])
  alerts.put(anAlert(2, { level: 1 }))
  await nextTick()
  expect([rings, alarm.front?.id]).toEqual([['red'], 2])
  alerts.put(confirmed(2, { level: 1 }))
  await nextTick()
  seconds(29)
  expect(alarm.front).toBeNull()
  seconds(1)
  expect([alarm.front?.id, rings]).toEqual([1, ['red', 'orange']])
})

test('what another unit confirmed still waits for this one', async () => {
  const { alerts, alarm } = page([confirmed(1, {}, '3706')])
  expect(alarm.front?.id).toBe(1)
  alerts.put(confirmed(1, { version: 3 }))
  await nextTick()
  expect(alarm.front).toBeNull()
})

test('a page that cannot do its work is loud after ten seconds, says why, and can be snoozed', async () => {
  const { alarm, rings } = page([])
  useWatch().report('feed', broken)
  await nextTick()
  expect(alarm.cannot).toEqual(['broken'])
  seconds(9)
  expect(rings).toEqual([])
  seconds(1)
  expect([rings, alarm.voice]).toEqual([['broken'], 'broken'])
  alarm.snooze()
  seconds(119)
  expect([rings, alarm.voice]).toEqual([['broken'], 'none'])
  seconds(1)
  expect(rings).toEqual(['broken', 'broken'])
  useWatch().report('feed', null)
  await nextTick()
  expect([alarm.voice, alarm.cannot]).toEqual(['none', []])
})

test('a sound that is turned on while an alert waits is heard at once', async () => {
  const { alarm, rings } = page([anAlert(1, { level: 2 })])
  alarm.page.sound = 'suspended'
  await nextTick()
  expect(alarm.cannot).toEqual(['suspended'])
  seconds(3)
  expect(rings).toEqual(['orange'])
  alarm.page.sound = 'armed'
  await nextTick()
  expect([rings, alarm.cannot]).toEqual([['orange', 'orange'], []])
})

test('after a gap in what the page knows, everything that waits rings anew; after a resume it does not', async () => {
  const { rings, news } = page([anAlert(1, { level: 2 })])
  const server = new PushServer()
  const live = useLive()
  live.useSnapshot(() => Promise.resolve({ epoch: 'e', seq: 1, id: 'e1' }))
  await live.start()
  server.welcome(1, true)
  seconds(5)
  expect(rings).toEqual(['orange'])
  server.welcome(1, false)
  seconds(1)
  expect([rings, news]).toEqual([['orange', 'orange'], ['open 1', 'open 1']])
})

test('an acknowledgement says the level that was shown, once, and is done when the server’s alert says so', async () => {
  const { alarm, alerts } = page([anAlert(1, { level: 2 })])
  let answer: (a: object) => void = () => undefined
  const calls = aServer({ 'POST /api/v1/alerts/1/acknowledge': () => new Promise((resolve) => (answer = resolve)) })
  const sent = alarm.acknowledge(alarm.front!)
  void alarm.acknowledge(alarm.front!)
  expect([alarm.acks.get(1), calls.length, calls[0]!.body, alarm.front?.id]).toEqual([{ step: 'sending' }, 1, { level: 2 }, 1])
  answer({ alert: confirmed(1, { level: 2 }) })
  await sent
  expect([alarm.acks.size, alerts.all.get(1)!.handling, alarm.front]).toEqual([0, 'acknowledged', null])
})

test('not reached is not refused, in both languages, and the alert stays in front', async () => {
  const { alarm } = page([anAlert(1)])
  const said = async () => {
    await alarm.acknowledge(alarm.front!)
    const ack = alarm.acks.get(1)
    return ack?.step === 'refused' ? ack.detail : ''
  }
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  expect(await said()).toBe('未送达服务器，请重试')
  setLanguage('en')
  expect(await said()).not.toMatch(/refused/i)
  aServer({ 'POST /api/v1/alerts/1/acknowledge': refusal(403, { detail: 'not yours' }) })
  expect(await said()).toContain('not yours')
  expect(alarm.front?.id).toBe(1)
})

test('an alert that rose before the answer is asked for as it is now, and rings', async () => {
  const { alarm, alerts, rings } = page([anAlert(1, { level: 3 })])
  const risen = anAlert(1, { level: 1, version: 2, risen_at: at(4), risen_from: 3 })
  const calls = aServer({
    'POST /api/v1/alerts/1/acknowledge': refusal(409, { code: 'alert-risen', params: { level: 'red' } }),
    'GET /api/v1/alerts/1': { alert: risen },
  })
  seconds(5)
  await alarm.acknowledge(alarm.front!)
  await nextTick()
  expect([alerts.all.get(1)!.level, alarm.front?.level, rings]).toEqual([1, 1, ['chime', 'red']])
  expect(alarm.acks.get(1)?.step).toBe('refused')
  expect(calls.map((c: Call) => c.method)).toEqual(['POST', 'GET'])
})

test('a snoozed alert whose step was refused is in front again, also when it cannot be asked for', async () => {
  const { alarm } = page([anAlert(1, { level: 2 })])
  alarm.snooze()
  aServer({})
  await alarm.askAgain(1)
  expect(alarm.front?.id).toBe(1)
})

test('why an acknowledgement failed is said only while the alert waits for it', async () => {
  const { alarm, alerts } = page([anAlert(1, { level: 3 })])
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  await alarm.acknowledge(alarm.front!)
  seconds(1)
  expect(alarm.acks.get(1)?.step).toBe('refused')
  alerts.put(confirmed(1)) // a colleague did it
  await nextTick()
  alerts.put(anAlert(1, { level: 1, version: 3, risen_at: at(60), risen_from: 3 }))
  await nextTick()
  expect([alarm.front?.id, alarm.acks.has(1)]).toEqual([1, false])
})

test('who leaves hears no more, and the clock stops', async () => {
  const { alerts, rings } = page([])
  stop()
  expect(terminate).toHaveBeenCalled()
  alerts.put(anAlert(1, { level: 1 }))
  await nextTick()
  expect(rings).toEqual([])
})
