// Whether an alarm is heard, and how it is told otherwise: sound, vibration, notices, the screen that stays on.

import { createPinia, setActivePinia } from 'pinia'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { nextTick } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import type { Alert } from '@/shared/api/types'
import { setLanguage } from '@/shared/i18n'
import { usePrefs } from '@/shared/prefs/prefs'
import { useSession } from '@/shared/session/session'
import { Browser } from '@/shared/testing/browser'
import { aMe, anAlert, at, text } from '@/shared/testing/fixtures'
import { mounted } from '@/shared/testing/mount'
import { useWatch } from '@/shared/watch/watch'
import { useUi } from '@/shared/workspace/ui'
import { useAlerts } from '../alerts'
import { useAlarm } from './store'
import { useNotices } from './useNotices'
import { usePageState } from './usePageState'
import { iconFor } from './useTabMark'
import { useVoice } from './useVoice'
import { patterns, Voice } from './voice'

vi.mock('@/shared/theme/tokens', async (original) => ({ ...(await original<object>()), applyTheme: () => undefined }))

/** An audio device: what is connected to it sounds. */
class FakeAudio {
  static last: FakeAudio
  /** What resume does: 'running', or another state, or an error. */
  static allows: 'running' | 'suspended' | Error = 'running'
  state = 'suspended'
  currentTime = 0
  destination = {}
  sounding = new Set<number>()
  onstatechange: (() => void) | null = null
  constructor() {
    FakeAudio.last = this
  }
  resume() {
    if (FakeAudio.allows instanceof Error) return Promise.reject(FakeAudio.allows)
    this.become(FakeAudio.allows)
    return Promise.resolve()
  }
  become(state: string) {
    this.state = state
    this.onstatechange?.()
  }
  close() {
    this.state = 'closed'
    return Promise.resolve()
  }
  createGain() {
    const ramp = () => undefined
    return { gain: { value: 1, setValueAtTime: ramp, linearRampToValueAtTime: ramp }, connect: ramp, disconnect: () => this.sounding.clear() }
  }
  createOscillator() {
    const tone = { type: '', frequency: { value: 0 }, connect: () => undefined, start: () => this.sounding.add(tone.frequency.value), stop: () => undefined, disconnect: () => this.sounding.delete(tone.frequency.value) }
    return tone
  }
}
const sounding = () => [...FakeAudio.last.sounding]

class FakeNotification {
  static permission = 'granted'
  static shown: FakeNotification[] = []
  static requestPermission = () => Promise.resolve((FakeNotification.permission = 'denied'))
  onclick: (() => void) | null = null
  close = () => undefined
  constructor(
    readonly title: string,
    readonly options: { body: string; requireInteraction: boolean },
  ) {
    FakeNotification.shown.push(this)
  }
}

let tick: () => void = () => undefined
let browser: Browser
const vibrate = vi.fn()
beforeAll(() => void vi.useFakeTimers({ now: Date.parse(at(0)) }))
afterAll(() => void vi.useRealTimers())
beforeEach(() => {
  setActivePinia(createPinia())
  setLanguage('zh')
  browser = new Browser()
  Object.assign(browser.navigator, { vibrate })
  vibrate.mockClear()
  FakeAudio.allows = 'running'
  FakeNotification.permission = 'granted'
  FakeNotification.shown = []
  vi.stubGlobal('AudioContext', FakeAudio)
  vi.stubGlobal('Notification', FakeNotification)
  vi.stubGlobal('Element', class {})
  vi.stubGlobal('Worker', class {
    onmessage: (() => void) | null = null
    terminate = () => undefined
    constructor() {
      tick = () => this.onmessage?.()
    }
  })
})
afterEach(() => vi.unstubAllGlobals())

const click = async () => {
  browser.window.dispatchEvent(new Event('click'))
  await vi.advanceTimersByTimeAsync(0)
}
const put = async (...all: Alert[]) => {
  all.forEach((a) => useAlerts().put(a))
  await nextTick()
}
const router = createRouter({ history: createMemoryHistory(), routes: ['command', 'mobile'].map((name) => ({ path: `/${name}`, name, component: { render: () => null } })) })

/** A page with its alarm and one of its composables. */
function page<T>(setup: () => T) {
  useSession().me = aMe()
  useAlerts().takeSnapshot({ epoch: 'e', seq: 1, seq_id: 'e1', items: [] })
  const alarm = useAlarm()
  const { result, unmount } = mounted(() => {
    const made = setup()
    alarm.start()
    return made
  }, router)
  return { result, unmount, alarm }
}

test('every sound is its own: red is louder than orange, and neither is the sound of a broken page', () => {
  const loud = (name: keyof typeof patterns) => Math.max(...patterns[name].map((n) => n.gain))
  expect([loud('red') > loud('broken'), loud('broken') > loud('orange'), loud('orange') > 0]).toEqual([true, true, true])
  expect(new Set(Object.values(patterns).map((notes) => JSON.stringify(notes))).size).toBe(Object.keys(patterns).length)
})

test('a voice says what is true of it: off, armed, suspended by the browser, without a device', async () => {
  const states: string[] = []
  const voice: Voice = new Voice(() => states.push(voice.state), () => new FakeAudio() as unknown as AudioContext)
  expect([voice.state, voice.play('red')]).toEqual(['off', false])
  await voice.arm()
  expect([voice.state, voice.play('red'), sounding()]).toEqual(['armed', true, [740, 988]])
  voice.play('broken')
  expect(sounding()).toEqual([330, 220]) // in the place of the one before
  FakeAudio.last.become('suspended')
  expect([voice.state, voice.play('red')]).toEqual(['suspended', false])
  FakeAudio.allows = new Error('no device')
  await voice.arm()
  expect(voice.state).toBe('failed')
  FakeAudio.allows = 'running'
  await voice.arm()
  expect(voice.state).toBe('armed')
  voice.close()
  expect([voice.state, states.at(-1)]).toEqual(['off', 'armed'])
})

test('the first click anywhere turns the sound on, and what waits is heard at once', async () => {
  const { alarm } = page(useVoice)
  await put(anAlert(1, { level: 1 }))
  expect([alarm.page.sound, alarm.cannot]).toEqual(['off', ['off']])
  await click()
  expect([alarm.page.sound, alarm.cannot, useWatch().armed, sounding()]).toEqual(['armed', [], true, [740, 988]])
  await put(anAlert(1, { level: 1, version: 2, handling: 'resolved' }))
  expect([alarm.voice, sounding(), vibrate.mock.lastCall]).toEqual(['none', [], [[]]])
})

test('a sound that the browser stopped is said, and comes back with the page', async () => {
  const { alarm } = page(useVoice)
  await click()
  FakeAudio.last.become('suspended')
  expect([alarm.page.sound, useWatch().armed]).toEqual(['suspended', false])
  browser.see(false)
  await vi.advanceTimersByTimeAsync(0)
  expect(alarm.page.sound).toBe('suspended')
  browser.see(true)
  await vi.advanceTimersByTimeAsync(0)
  expect(alarm.page.sound).toBe('armed')
})

test('a muted page makes no sound, says so, and stays muted at the next click', async () => {
  const { alarm } = page(useVoice)
  await click()
  await put(anAlert(1, { level: 1 }))
  expect(sounding()).not.toEqual([])
  alarm.mute()
  await nextTick()
  expect([sounding(), alarm.page.sound, alarm.cannot]).toEqual([[], 'muted', ['muted']])
  await click()
  vi.advanceTimersByTime(5000)
  vibrate.mockClear()
  await put(anAlert(2, { level: 1, risen_at: at(5) }))
  expect([sounding(), alarm.page.sound, alarm.front?.id, vibrate.mock.calls.length]).toEqual([[], 'muted', 2, 1])
  alarm.testSound()
  await vi.advanceTimersByTimeAsync(0)
  expect([alarm.page.sound, usePrefs().muted]).toEqual(['armed', false])
})

test('a machine without an audio device says so, muted or not, and still shakes', async () => {
  FakeAudio.allows = new Error('no device')
  const { alarm } = page(useVoice)
  await click()
  expect(alarm.page.sound).toBe('failed')
  alarm.mute()
  await nextTick()
  expect(alarm.page.sound).toBe('failed')
  await put(anAlert(1, { level: 1 }))
  expect(vibrate.mock.lastCall![0]).toHaveLength(5)
})

test('a test is heard, but not over an alarm', async () => {
  const { alarm } = page(useVoice)
  alarm.testSound()
  await vi.advanceTimersByTimeAsync(0)
  expect(sounding()).toEqual([740, 988])
  FakeAudio.last.sounding.clear()
  await put(anAlert(1, { level: 1 }))
  FakeAudio.last.sounding.clear()
  alarm.testSound()
  await vi.advanceTimersByTimeAsync(0)
  expect(sounding()).toEqual([])
})

test('a page that is left is quiet', async () => {
  const { unmount } = page(useVoice)
  await click()
  await put(anAlert(1, { level: 1 }))
  unmount()
  expect([sounding(), FakeAudio.last.state]).toEqual([[], 'closed'])
})

test('news of one level are one line, the worst and newest first, and go after ten seconds', async () => {
  const { result } = page(useNotices)
  const lines = () => result.toasts.value.map((toast) => `${toast.why} ${toast.alert.id} +${toast.more}`)
  await put(anAlert(1, { level: 3 }))
  await put(anAlert(2, { level: 1 }), anAlert(3, { level: 1, risen_at: at(9) }), anAlert(4, { level: 2 }))
  expect(lines()).toEqual(['began 1 +0', 'began 3 +2'])
  vi.advanceTimersByTime(5000)
  await put(anAlert(5, { level: 1 }))
  expect(lines()).toEqual(['began 1 +0', 'began 5 +3'])
  vi.advanceTimersByTime(6000)
  expect(lines()).toEqual(['began 5 +3'])
  result.dismiss(result.toasts.value[0]!.n)
  expect(lines()).toEqual([])
})

test('no more than three lines at a time', async () => {
  const { result } = page(useNotices)
  for (const [id, level] of [[1, 4], [2, 3], [3, 2], [4, 1]] as const) await put(anAlert(id, { level }))
  expect(result.toasts.value.map((toast) => toast.alert.id)).toEqual([2, 3, 4])
})

test('while nobody looks the system tells of it, in the language of the page, and its click opens the alert', async () => {
  await router.push('/command')
  page(useNotices)
  await put(anAlert(1, { level: 1, headline: text('洪水', 'Flood') }))
  expect(FakeNotification.shown).toEqual([]) // somebody looks
  browser.see(false)
  setLanguage('en')
  Object.assign(browser.window, { focus: () => undefined })
  await put(anAlert(2, { level: 2, headline: text('滑坡', 'Landslide') }), anAlert(3, { level: 4 }))
  const [note] = FakeNotification.shown
  expect([note!.title, note!.options.body, note!.options.requireInteraction]).toEqual([expect.stringMatching(/orange/i), expect.stringContaining('Landslide'), true])
  expect(note!.options.body).toMatch(/1 more|\+ ?1|1 /)
  note!.onclick!()
  await vi.advanceTimersByTimeAsync(0)
  expect(router.currentRoute.value.fullPath).toBe('/command?alert=2')
})

test('a page that may not notify says so only where it is hidden', async () => {
  FakeNotification.permission = 'default'
  const { alarm, result } = page(() => (usePageState(), useNotices()))
  alarm.page.sound = 'armed'
  await nextTick()
  expect([alarm.page.notify, alarm.cannot]).toEqual(['default', []])
  browser.see(false)
  await nextTick()
  expect(alarm.cannot).toEqual(['hidden'])
  await result.ask()
  await put(anAlert(1, { level: 1 }))
  expect([alarm.page.notify, FakeNotification.shown]).toEqual(['denied', []])
})

test('a hidden page whose clock came late was stopped by the browser: it says so for a minute', async () => {
  const { alarm } = page(usePageState)
  alarm.page.sound = 'armed'
  const pass = (ms: number) => {
    vi.advanceTimersByTime(ms)
    tick()
  }
  pass(1000)
  pass(20_000) // seen: a slow machine, not a stopped page
  expect(alarm.page.throttled).toBe(false)
  browser.see(false)
  pass(1000)
  pass(60_000)
  expect([alarm.page.throttled, alarm.cannot]).toEqual([true, ['throttled', 'hidden']])
  browser.see(true)
  for (let i = 0; i < 61; i++) pass(1000)
  expect(alarm.page.throttled).toBe(false)
})

test('a wall keeps its screen on while its sound is armed, asks again when it was taken, and says when it cannot', async () => {
  await router.push('/command')
  const locks: EventTarget[] = []
  let refuse = false
  const request = () => {
    if (refuse) return Promise.reject(new Error('low battery'))
    locks.push(Object.assign(new EventTarget(), { release: () => Promise.resolve() }))
    return Promise.resolve(locks.at(-1))
  }
  Object.assign(browser.navigator, { wakeLock: { request } })
  const { alarm } = page(usePageState)
  const settled = () => vi.advanceTimersByTimeAsync(0)
  alarm.page.sound = 'armed'
  await settled()
  expect([alarm.page.awake, locks.length]).toEqual(['unasked', 0])
  useUi().wall = true
  await settled()
  expect([alarm.page.awake, locks.length]).toEqual(['held', 1])
  refuse = true
  locks[0]!.dispatchEvent(new Event('release'))
  await settled()
  expect([alarm.page.awake, alarm.cannot]).toEqual(['refused', ['asleep']])
  useUi().wall = false
  await settled()
  expect(alarm.page.awake).toBe('unasked')
})

test('the tab’s icon has the colour of the worst level, and is plain without one', () => {
  expect(iconFor(0)).toBe('/icon.svg')
  expect(new Set([1, 2, 3, 4].map((level) => iconFor(level as 1))).size).toBe(4)
})
