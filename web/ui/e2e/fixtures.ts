// What every spec needs: people logged in, each in a browser of their own, devices that publish through
// the real mosquitto_pub, and an ear for what the pages complain about.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, request, test as base, type APIRequestContext, type BrowserContextOptions, type Locator, type Page } from '@playwright/test'
import { readDemo, type Demo } from './demo'
import { withServer } from './own'

export { expect } from '@playwright/test'

const run = promisify(execFile)

/** A device that can publish. */
export interface Sensor {
  id: string
  topic: string
  password: string
  stream: string
  streamId: number
  nameZh: string
}

export interface Watched {
  page: Page
  /** Errors on the console, uncaught ones, and what the page's policy refused. */
  complaints: string[]
}

interface WireDevice {
  id: string
  division: string
  level: number
  name: { zh: string }
  datastreams: { id: number; name: string; type: string }[]
}

export const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }

/** Publishes one message at QoS 1 by mosquitto_pub. */
export async function publish(demo: Demo, sensor: Sensor, message: number | string): Promise<void> {
  const [host, port] = demo.mqtt.split(':') as [string, string]
  const payload = typeof message === 'string' ? message : JSON.stringify({ v: { [sensor.stream]: message } })
  await run('mosquitto_pub', ['-h', host, '-p', port, '-q', '1', '-u', sensor.id, '-P', sensor.password, '-t', sensor.topic, '-m', payload])
}

function passwordOf(demo: Demo, user: string): string {
  const account = demo.accounts.find((a) => a.user === user)
  if (!account) throw new Error(`demo.json has no account ${user}`)
  return account.password
}

/** Listens to a page from its first byte. A login page's 401 to "who am I" is an answer, not an error. */
async function listen(page: Page, complaints: string[]): Promise<void> {
  page.on('console', (message) => {
    if (message.type() !== 'error') return
    const at = message.location().url
    if (/\/api\/v1\/(me|session)$/.test(at) && message.text().includes('401')) return
    complaints.push(`${message.text()} (${at})`)
  })
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`))
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy: ${event.violatedDirective} refused ${event.blockedURI || event.sample}`)
    })
  })
}

interface Options {
  context?: BrowserContextOptions
  language?: 'zh' | 'en'
  theme?: 'dark' | 'light'
}

interface Fixtures {
  /** Opens a page in a browser context of its own, logged in as the user when one is named. */
  as: (user: string | null, options?: Options) => Promise<Watched>
}
interface WorkerFixtures {
  demo: Demo
  steward: APIRequestContext
  /** A device of a division without an alert, that no other test of the worker has had, with a new secret. */
  sensor: (division: string, type?: string) => Promise<Sensor>
}

export const test = base.extend<Fixtures, WorkerFixtures>({
  // A server for each worker, and a new one after a test that failed. A spec that judges what is in front, or counts, takes
  // ownCity instead: it meets no other spec's alerts.
  demo: [
    // eslint-disable-next-line no-empty-pattern -- Playwright wants the braces
    async ({}, use) => (process.env.ONEMAP_DEMO ? use(readDemo(process.env.ONEMAP_DEMO)) : withServer([], use)),
    { scope: 'worker', timeout: 300_000 },
  ],
  steward: [
    async ({ demo }, use) => {
      const api = await request.newContext({ baseURL: demo.http })
      const answer = await api.post('/api/v1/session', { data: { user: 'steward', password: passwordOf(demo, 'steward') } })
      if (!answer.ok()) throw new Error(`login of steward: ${answer.status()} ${await answer.text()}`)
      await use(api)
      await api.dispose()
    },
    { scope: 'worker' },
  ],
  sensor: [
    async ({ demo, steward }, use) => {
      const taken = new Set([demo.device.id])
      await use(async (division, type = 'water_level') => {
        const { items } = (await (await steward.get('/api/v1/devices')).json()) as { items: WireDevice[] }
        const free = items.filter((d) => d.division.startsWith(division) && d.level === 0 && !taken.has(d.id) && d.datastreams.some((s) => s.type === type))
        const left = (d: WireDevice) => free.filter((other) => other.division.slice(0, 6) === d.division.slice(0, 6)).length
        const [device] = free.toSorted((a, b) => left(b) - left(a)) // of the county with most left, so that each keeps some
        if (!device) throw new Error(`no device of ${division} with ${type} is left`)
        taken.add(device.id)
        const stream = device.datastreams.find((s) => s.type === type)!
        const { secret } = (await (await steward.post(`/api/v1/devices/${device.id}/secret`)).json()) as { secret: string }
        return {
          id: device.id,
          password: secret,
          stream: stream.name,
          streamId: stream.id,
          topic: `onemap/v1/${device.division}/${device.id}/obs`,
          nameZh: device.name.zh,
        }
      })
    },
    { scope: 'worker' },
  ],
  as: async ({ browser, demo }, use) => {
    const contexts: Awaited<ReturnType<typeof browser.newContext>>[] = []
    await use(async (user, options = {}) => {
      const context = await browser.newContext({ baseURL: demo.http, ...options.context })
      contexts.push(context)
      await context.addInitScript(
        ([language, theme]) => localStorage.getItem('onemap.prefs') ?? localStorage.setItem('onemap.prefs', JSON.stringify({ language, theme })),
        [options.language ?? 'zh', options.theme ?? 'dark'] as const,
      )
      if (user) {
        const answer = await context.request.post('/api/v1/session', { data: { user, password: passwordOf(demo, user) } })
        if (!answer.ok()) throw new Error(`login of ${user}: ${answer.status()} ${await answer.text()}`)
      }
      const page = await context.newPage()
      const complaints: string[] = []
      await listen(page, complaints)
      return { page, complaints }
    })
    for (const context of contexts) await context.close()
  },
})

/** Gives the sensor a rule of its own, that of its type without the hold, so that its alert clears with the first safe reading. */
export async function clearAtOnce(steward: APIRequestContext, sensor: Sensor, type = 'water_level'): Promise<void> {
  const { items } = (await (await steward.get('/api/v1/rules')).json()) as { items: Record<string, unknown>[] }
  const rule = items.find((r) => r.datastream_type === type && !r.datastream_id)!
  const { direction, thresholds, origin } = rule
  const own = { name: { zh: `${sensor.nameZh}立即解除`, en: '' }, datastream_type: type, datastream_id: sensor.streamId, direction, thresholds, origin, hold_seconds: 0, enabled: true }
  const answer = await steward.post('/api/v1/rules', { data: own })
  if (!answer.ok()) throw new Error(`rule of ${sensor.id}: ${answer.status()} ${await answer.text()}`)
}

/** The open alert of a device, as the server has it. */
export async function alertOf(api: APIRequestContext, device: string): Promise<{ id: number; handling: string; detection: string; level: number } | undefined> {
  const answer = await api.get('/api/v1/alerts', { params: { open: true, device } })
  const { items } = (await answer.json()) as { items: { id: number; handling: string; detection: string; level: number }[] }
  return items.find((a) => a.detection !== 'cleared')
}

/** The list of a select, which is drawn outside of its form. */
export async function listOf(field: Locator): Promise<Locator> {
  return field.page().locator(`[id="${await field.getAttribute('aria-controls')}"]`)
}

/** Chooses a value of a select. */
export async function pick(field: Locator, value: string): Promise<void> {
  await field.press('Enter')
  await (await listOf(field)).locator(`[data-value="${value}"]`).click()
  await expect(field).toHaveAttribute('data-value', value)
}
