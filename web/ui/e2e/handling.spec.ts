// Every step that a card draws is taken by the real server, and nothing else is drawn; two people at one alert know of
// each other; many alerts are handled with one reason; what is closed is found again; what is silenced is shown.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { APIRequestContext, Page } from '@playwright/test'
import type { Demo } from './demo'
import { armBar, clear, heard, holdable, live, open, ownCity, raise, siren } from './alarmkit'
import { alertOf, clearAtOnce, expect, listOf, pick, publish, type Sensor } from './fixtures'

const test = ownCity()

const run = promisify(execFile)
const watched = { serviceWorkers: 'block' } as const // what the page asks for is seen by the test
const handlings = ['new', 'acknowledged', 'assigned', 'resolved', 'closed'] as const
const detections = ['firing', 'recovering', 'stale', 'cleared'] as const
type Handling = (typeof handlings)[number]
type Detection = (typeof detections)[number]
type Step = 'acknowledge' | 'assign' | 'resolve' | 'close'

interface WireAlert {
  id: number
  level: number
  detection: Detection
  handling: Handling
  possible?: Step[]
  version: number
}
const read = async (api: APIRequestContext, id: number) => ((await (await api.get(`/api/v1/alerts/${id}`)).json()) as { alert: WireAlert }).alert
const buttonOf: Record<Step, string> = { acknowledge: 'alert-ack', assign: 'alert-assign', resolve: 'alert-resolve', close: 'alert-close' }
const stateAfter: Record<Step, Handling> = { acknowledge: 'acknowledged', assign: 'assigned', resolve: 'resolved', close: 'closed' }
const wayTo: Record<Handling, Step[]> = { new: [], acknowledged: ['acknowledge'], assigned: ['assign'], resolved: ['resolve'], closed: ['resolve', 'close'] }

/** Takes a step with all that it can need. */
async function take(api: APIRequestContext, id: number, step: Step, assignee: string): Promise<void> {
  const { level } = await read(api, id)
  const data = { level, note: '说明', confirm: true, ...(step === 'assign' ? { assignee } : {}) }
  const answer = await api.post(`/api/v1/alerts/${id}/${step}`, { data })
  if (!answer.ok()) throw new Error(`${step}: ${answer.status()} ${await answer.text()}`)
}

interface City {
  demo: Demo
  steward: APIRequestContext
  sensor: (division: string) => Promise<Sensor>
}

type Prepare = (handling: Handling) => Promise<number>

/** Brings an alert of one device to a state of detection, again and again. */
async function prepareOf({ demo, steward, sensor }: City, by: APIRequestContext, detection: Exclude<Detection, 'stale'>): Promise<Prepare> {
  const device = await sensor('3706')
  await clearAtOnce(steward, device)
  return async (handling) => {
    await clear(demo, steward, device)
    const id = await raise(demo, steward, device, 4.9, 1)
    for (const step of wayTo[handling]) await take(by, id, step, 'commander')
    if (detection === 'recovering') await publish(demo, device, 3.6)
    if (detection === 'cleared') await publish(demo, device, 2)
    await expect.poll(() => read(by, id).then((a) => a.detection)).toBe(detection)
    return id
  }
}

/** Alerts whose devices have fallen silent: all at once, for that takes its time. */
async function prepareStale({ demo, steward, sensor }: City, by: APIRequestContext): Promise<Prepare> {
  const ids: Record<Handling, number[]> = { new: [], acknowledged: [], assigned: [], resolved: [], closed: [] }
  for (const handling of handlings) {
    while (ids[handling].length < 3) {
      const device = await sensor('3706')
      await steward.patch(`/api/v1/datastreams/${device.streamId}`, { data: { interval_s: 1 } })
      await expect(() => publish(demo, device, 2)).toPass() // the broker learns of the new secret a moment later
      const id = await raise(demo, steward, device, 4.9, 1)
      for (const step of wayTo[handling]) await take(by, id, step, 'commander')
      ids[handling].push(id)
    }
  }
  return async (handling) => {
    const id = ids[handling].shift()!
    await expect.poll(() => read(by, id).then((a) => a.detection)).toBe('stale')
    return id
  }
}

const drawn = (page: Page) =>
  page.getByTestId('alert-actions').evaluate((e, buttons) => Object.keys(buttons).filter((step) => e.querySelector(`[data-testid="${buttons[step as 'close']}"]`)), buttonOf)

async function show(page: Page, id: number): Promise<void> {
  await page.goto(`/?alert=${id}`)
  await expect(page.getByTestId('alert-actions')).toHaveAttribute('data-known', 'true')
}

/** Presses a step's button and fills its form. */
async function press(page: Page, step: Step, assignee = 'commander'): Promise<void> {
  await page.getByTestId(buttonOf[step]).click()
  if (step === 'acknowledge') return
  if (step === 'assign') await pick(page.getByTestId('alert-assignee'), assignee)
  await page.getByTestId('alert-note').fill('现场已核实')
  await page.getByTestId('alert-send').click()
}

for (const detection of detections) {
  test(`each step that is drawn is taken, and no other is drawn: ${detection}`, { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
    const { page } = await as('commander')
    const me = page.context().request
    const city = { demo, steward, sensor }
    const prepare = detection === 'stale' ? await prepareStale(city, me) : await prepareOf(city, me, detection)
    for (const handling of handlings) {
      let id = await prepare(handling)
      await show(page, id)
      const steps = (await drawn(page)) as Step[]
      expect(steps, handling).toEqual((await read(me, id)).possible ?? [])
      for (const [i, step] of steps.entries()) {
        if (i > 0) {
          id = await prepare(handling)
          await show(page, id)
        }
        const { version } = await read(me, id)
        await press(page, step)
        await expect.poll(() => read(me, id).then((a) => a.version > version && a.handling), `${step} of ${handling}`).toBe(stateAfter[step])
        await expect(page.getByTestId('alert-refused')).toHaveCount(0)
      }
    }
  })
}

test('everybody whom the list offers is accepted', { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370686')
  const { page } = await as('commander')
  const id = await raise(demo, steward, device, 4.9, 1)
  await show(page, id)
  await page.getByTestId('alert-assign').click()
  const people = (await listOf(page.getByTestId('alert-assignee'))).getByRole('option', { includeHidden: true })
  await expect(people.first()).toBeAttached()
  const offered = await people.evaluateAll((all) => all.map((o) => (o as HTMLElement).dataset.value!))
  expect(offered).toContain('r370686')
  expect(offered).not.toContain('r370611')
  await page.getByTestId('alert-cancel').click()
  for (const user of offered) {
    await press(page, 'assign', user)
    await expect.poll(async () => ((await (await steward.get(`/api/v1/alerts/${id}`)).json()) as { alert: { assignee: string } }).alert.assignee).toBe(user)
    await expect(page.getByTestId('alert-assign')).toBeEnabled()
  }
})

test('resolving what still rises asks with its reading, and needs a reason', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370681')
  const { page } = await as('r370681')
  await open(page, '/')
  await live(page)
  const id = await raise(demo, steward, device, 4.6, 1)
  await publish(demo, device, 4.8)
  await publish(demo, device, 4.97)
  await show(page, id)
  await page.getByTestId('alert-resolve').click()
  await expect(page.getByTestId('alert-still-firing')).toHaveText(/^读数仍在上升（4\.97 m，超红色 \d+(\.\d+)? %），确定办结？$/)
  await expect(page.getByTestId('alert-send')).toBeDisabled()
  await page.getByTestId('alert-note').fill('   ')
  await expect(page.getByTestId('alert-send')).toBeDisabled()
  expect((await read(steward, id)).handling).toBe('new')
  await page.getByTestId('alert-note').fill('闸门已关')
  await page.getByTestId('alert-send').click()
  await expect(page.getByTestId('alert-handling')).toHaveAttribute('data-handling', 'resolved')
})

test('a refusal is in the reader’s language, and who was not reached is not refused', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370682')
  const { page } = await as('r370682', { context: watched })
  const line = await holdable(page)
  const { page: other } = await as('commander')
  await open(page, '/')
  await live(page)
  const id = await raise(demo, steward, device, 4.9, 1)
  await page.getByTestId(`alert-item-${id}`).click()
  await page.context().setOffline(true)
  await page.getByTestId('alert-ack').click()
  await expect(page.getByTestId('alert-refused')).toContainText('没有连上服务器')
  await expect(page.getByTestId('alert-refused')).not.toContainText('未接受')
  expect((await read(steward, id)).handling).toBe('new')
  await page.context().setOffline(false)
  await live(page)
  await page.getByTestId('alert-retry').click()
  await expect(page.getByTestId('alert-handling')).toHaveAttribute('data-handling', 'acknowledged')

  await expect(page.getByTestId('alert-resolve')).toBeEnabled()
  line.hold()
  for (const step of wayTo.closed) await take(other.context().request, id, step, '')
  await page.getByTestId('alert-resolve').click()
  await page.getByTestId('alert-note').fill('闸门已关')
  await page.getByTestId('alert-send').click()
  const refused = page.getByTestId('alert-refused')
  await expect(refused).toContainText('已关闭的告警不能办结')
  expect((await refused.textContent())!.replace('重试', '')).not.toMatch(/[A-Za-z]/)
  line.release()
  await expect(page.getByTestId('alert-note')).toHaveValue('闸门已关')
})

test('two people at one alert: each is told who is there and what was done, and a draft outlives both and a reload', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370683')
  const { page: a } = await as('commander')
  const { page: b } = await as('r370683')
  const id = await raise(demo, steward, device, 4.9, 1)
  await show(a, id)
  await show(b, id)
  const card = (page: Page) => page.getByTestId('alert-card')
  await expect(card(a).getByTestId('alert-viewers')).toContainText('正在查看')
  await a.getByTestId('alert-resolve').click()
  await a.getByTestId('alert-note').fill('水位已经回落，闸门')
  await expect(card(b).getByTestId('alert-viewers')).toContainText('正在处理')
  await expect(b.getByTestId(`alert-item-${id}`).getByTestId('alert-viewers')).toContainText('正在处理')

  await b.getByTestId('alert-ack').click()
  await expect(a.getByTestId('alert-meanwhile')).toContainText('r370683 刚刚确认')
  await expect(a.getByTestId('alert-note')).toHaveValue('水位已经回落，闸门')
  await a.reload()
  await expect(a.getByTestId('alert-note')).toHaveValue('水位已经回落，闸门')

  await press(b, 'resolve')
  await expect(b.getByTestId('alert-handling')).toHaveAttribute('data-handling', 'resolved')
  await expect(a.getByTestId('alert-meanwhile')).toContainText('刚刚办结')
  await expect(a.getByTestId('alert-step-gone')).toBeVisible()
  await expect(a.getByTestId('alert-send')).toBeDisabled()
  await expect(a.getByTestId('alert-note')).toHaveValue('水位已经回落，闸门')
  await b.goto('/about')
  await expect(card(a).getByTestId('alert-viewers')).toHaveCount(0)
})

test('many are handled with one reason, a refused one is told by its row, and what is closed is found and exported', async ({ as, demo, steward, sensor }) => {
  const devices = [await sensor('370685'), await sensor('370685'), await sensor('370685')]
  const { page } = await as('r370685', { context: { ...watched, acceptDownloads: true } })
  const line = await holdable(page)
  const { page: city } = await as('commander')
  await open(page, '/')
  await live(page)
  const ids: number[] = []
  for (const device of devices) ids.push(await raise(demo, steward, device, 4.9, 1))
  const choose = async () => {
    await page.getByTestId('bulk-all').click()
    await expect(page.getByTestId('bulk-count')).toContainText('3')
  }
  const send = async (step: 'acknowledge' | 'resolve' | 'close', reason: string) => {
    await page.getByTestId(`bulk-${step}`).click()
    await page.getByTestId('bulk-note').fill(reason)
    await page.getByTestId('bulk-send').click()
  }
  const results = page.getByTestId('bulk-results')
  for (const id of ids) await expect(page.getByTestId(`alert-item-${id}`)).toBeVisible()
  await page.getByTestId('alert-select').click()
  await choose()
  await send('acknowledge', '值班员已知悉')
  await expect(results).toHaveAttribute('data-done', '3')

  await choose()
  line.hold()
  for (const step of wayTo.closed) await take(city.context().request, ids[1]!, step, '')
  await page.getByTestId('bulk-resolve').click()
  await expect(page.getByTestId('bulk-send')).toBeDisabled() // they fire: a reason is needed
  await page.getByTestId('bulk-note').fill('演练结束')
  await page.getByTestId('bulk-send').click()
  await expect(results).toHaveAttribute('data-done', '2')
  await expect(results).toHaveAttribute('data-refused', '1')
  await expect(results.locator('li')).toContainText(devices[1]!.nameZh)
  await expect(results.locator('li')).toContainText('已关闭的告警不能办结')
  line.release()
  await expect(page.getByTestId(`alert-item-${ids[0]}`)).toHaveAttribute('data-handling', 'resolved')
  await page.getByTestId('bulk-all').click()
  await send('close', '演练结束')
  for (const id of ids) await expect.poll(() => read(steward, id).then((a) => a.handling)).toBe('closed')

  await page.goto('/alerts')
  for (const id of ids) await expect(page.getByTestId(`history-${id}`)).toBeVisible()
  await page.getByTestId('history-device').fill(devices[0]!.id)
  await expect(page.getByTestId('history-count')).toHaveAttribute('data-count', '1')
  await pick(page.getByTestId('history-state'), 'closed')
  await pick(page.getByTestId('history-peak'), '1')
  await expect(page.getByTestId(`history-${ids[0]}`)).toContainText('已关闭')
  await expect(page.getByTestId(`history-${ids[1]}`)).toHaveCount(0)
  for (const format of ['csv', 'xlsx'] as const) {
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId(`history-${format}`).click()])
    const path = await file.path()
    const text = format === 'csv' ? (await run('cat', [path])).stdout : (await run('unzip', ['-p', path])).stdout
    expect(text, format).toContain(devices[0]!.id)
    expect(text, format).toContain('演练结束')
    expect(text, format).not.toContain(devices[2]!.id)
  }
  await pick(page.getByTestId('history-state'), 'cleared') // it still fires
  await expect(page.getByTestId('history-empty')).toBeVisible()
  await pick(page.getByTestId('history-state'), 'closed')
  await page.getByTestId(`history-${ids[0]}`).getByTestId('history-open').click()
  await expect(page.getByTestId('alert-handling')).toHaveAttribute('data-handling', 'closed')
  await expect(page.getByTestId('alert-no-step')).toBeVisible()
})

test('a silence is made on the card, stands on list, map and page, and never keeps a rise above it quiet', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370687')
  const { page } = await as('r370687')
  await open(page, '/')
  await live(page)
  await armBar(page)
  const id = await raise(demo, steward, device, 3.6, 3)
  await expect(page.getByTestId('alarm-bar')).toHaveAttribute('data-id', String(id))
  await show(page, id)
  await armBar(page)
  await page.getByTestId('alert-silence').click()
  await expect(page.getByTestId('silence-level')).toHaveAttribute('data-value', '3')
  await expect(page.getByTestId('silence-save')).toBeDisabled()
  await page.getByTestId('silence-reason').fill('更换传感器')
  await page.getByTestId('silence-pick-168').click()
  await page.getByTestId('silence-save').click()
  await expect(page.getByTestId('alert-card-silenced')).toContainText('更换传感器')
  await expect(page.getByTestId(`alert-item-${id}`).getByTestId('alert-silenced')).toBeVisible()
  await expect(page.getByTestId('alarm-calm')).toBeVisible()
  const marked = () => page.evaluate((device) => (window as unknown as { __onemap: { renderedDevices: { id?: string; silenced?: number }[] } }).__onemap.renderedDevices.find((d) => d.id === device)?.silenced, device.id)
  await expect.poll(marked).toBe(1)

  const before = await heard(page)
  await raise(demo, steward, device, 4.9, 1)
  await expect(page.getByTestId('alarm-bar')).toHaveAttribute('data-id', String(id))
  await expect(page.getByTestId('alarm-bar')).toHaveAttribute('data-level', '1')
  await expect.poll(() => heard(page)).toBe(before + siren.red)
  expect((await alertOf(steward, device.id))!.handling).toBe('new')

  await page.goto('/silences')
  await expect(page.getByTestId('silences-current')).toContainText('更换传感器')
})
