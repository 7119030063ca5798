// What specs of alarms share: a city of their own, an ear in the page, and a line to the server that can be held.

import type { APIRequestContext, Page } from '@playwright/test'
import type { Demo } from './demo'
import { alertOf, expect, publish, test as base, type Sensor } from './fixtures'
import { withServer } from './own'

/** The fixtures on a server of the spec's own: no other spec's alerts are counted, and none is in front. */
export const ownCity = () =>
  base.extend<object, { demo: Demo }>({
    demo: [
      // eslint-disable-next-line no-empty-pattern -- Playwright wants the braces
      async ({}, use) => withServer([], use),
      { scope: 'worker', timeout: 300_000 },
    ],
  })

interface Heard {
  tones: number
  vibrations: number
  /** The loudest of each tone's ramps, 0 to 1. */
  gains: number[]
  contexts: AudioContext[]
}
declare global {
  interface Window {
    heard: Heard
  }
}

/** How many tones a ring of each has. */
export const siren = { red: 6, orange: 4, chime: 1, test: 2 }

/** Counts every tone and vibration from the page's first byte. */
export async function listen(page: Page): Promise<void> {
  await page.addInitScript(() => {
    if ('heard' in window) return // a page that is opened again is listened to already
    Object.assign(window, { heard: { tones: 0, vibrations: 0, gains: [], contexts: [] } })
    const make = AudioContext.prototype.createOscillator
    AudioContext.prototype.createOscillator = function (this: AudioContext) {
      if (!window.heard.contexts.includes(this)) window.heard.contexts.push(this)
      window.heard.tones++
      return make.call(this)
    }
    const ramp = AudioParam.prototype.linearRampToValueAtTime
    AudioParam.prototype.linearRampToValueAtTime = function (this: AudioParam, value: number, at: number) {
      if (value > 0) window.heard.gains.push(value)
      return ramp.call(this, value, at)
    }
    navigator.vibrate = (pattern) => {
      if (Array.isArray(pattern) && pattern.length) window.heard.vibrations++
      return true
    }
  })
}

export const heard = (page: Page) => page.evaluate(() => window.heard.tones)

/** Opens a page that is live, and listens to it. */
export async function open(page: Page, path: string): Promise<void> {
  await listen(page)
  await page.goto(path)
  await expect(page.locator('html')).toHaveAttribute('lang', /./)
}

export async function live(page: Page): Promise<void> {
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
}

/** A phone with its sound on, and nothing unanswered on it: arming lets two tones be heard. */
export async function armedPhone(page: Page): Promise<void> {
  await answerAll(page.context().request)
  await open(page, '/m')
  await live(page)
  await expect.poll(() => page.getByTestId('takeover').count()).toBe(0)
  await page.getByTestId('sound-off').click()
  await expect(page.getByTestId('sound-toggle')).toHaveAttribute('data-audible', 'true')
  await expect.poll(() => heard(page)).toBe(siren.test)
}

/** Turns the sound of a page with the alarm bar on. */
export async function armBar(page: Page): Promise<void> {
  await page.getByTestId('alarm-test').click()
  await expect(page.getByTestId('alarm-bar')).toHaveAttribute('data-sound', 'armed')
}

/** Publishes, and waits until the server has the alert at the level. */
export async function raise(demo: Demo, api: APIRequestContext, sensor: Sensor, value: number, level: number): Promise<number> {
  await publish(demo, sensor, value)
  await expect.poll(() => alertOf(api, sensor.id).then((a) => a?.level)).toBe(level)
  return (await alertOf(api, sensor.id))!.id
}

/** The active alerts that an account sees. */
export async function activeAlerts(api: APIRequestContext): Promise<{ id: number; level: number }[]> {
  const { items } = (await (await api.get('/api/v1/alerts', { params: { open: true, limit: 500 } })).json()) as { items: { id: number; level: number; detection: string }[] }
  return items.filter((a) => a.detection !== 'cleared')
}

/** Acknowledges every active alert as an account: what other tests left open is no longer in front. */
export async function answerAll(api: APIRequestContext): Promise<void> {
  for (const { id, level } of await activeAlerts(api)) {
    const answer = await api.post(`/api/v1/alerts/${id}/acknowledge`, { data: { level } })
    if (!answer.ok()) throw new Error(`acknowledge ${id}: ${answer.status()} ${await answer.text()}`)
  }
}

/** Publishes a safe reading, and waits until the alert is over. The sensor needs a rule without a hold. */
export async function clear(demo: Demo, api: APIRequestContext, sensor: Sensor): Promise<void> {
  await publish(demo, sensor, 2)
  await expect.poll(() => alertOf(api, sensor.id)).toBeUndefined()
}

/**
 * Can hold back what the page learns of alerts, pushed or fetched: it then shows what it knew. What it fetches is let
 * through once a step of its own was answered.
 */
export async function holdable(page: Page): Promise<{ hold(): void; release(): void }> {
  let held: (() => void)[] | null = null
  let gate: Promise<void> | null = null
  let answered: () => void = () => undefined
  await page.routeWebSocket(/\/ws$/, (ws) => {
    const server = ws.connectToServer()
    server.onMessage((message) => (held ? held.push(() => ws.send(message)) : ws.send(message)))
  })
  await page.route(/\/api\/v1\/alerts(\/\d+)?(\?.*)?$/, async (route) => {
    await gate
    await route.continue().catch(() => undefined) // the page has gone on meanwhile
  })
  page.on('response', (response) => response.request().method() === 'POST' && answered())
  return {
    hold: () => {
      held ??= []
      gate = new Promise((done) => (answered = done))
    },
    release: () => {
      const waiting = held ?? []
      held = null
      gate = null
      answered()
      waiting.forEach((send) => send())
    },
  }
}
