// Nobody silences a level that they were not shown: a tap on a yellow that has become red is refused by the real
// server, whatever it was made with, and the page asks again, loudly, with the level that it has now.

import { armBar, armedPhone, clear, heard, holdable, live, open, ownCity, raise, siren } from './alarmkit'
import { alertOf, clearAtOnce, expect, phone } from './fixtures'

const test = ownCity()

const desk = { serviceWorkers: 'block' } as const // what the page asks for is seen by the test

test('desk: the button and the key K on a yellow that rose', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370602')
  await clearAtOnce(steward, device)
  const { page } = await as('r370602', { context: desk })
  const line = await holdable(page)
  for (const way of ['button', 'key'] as const) {
    await open(page, '/')
    await live(page)
    await armBar(page)
    const id = await raise(demo, steward, device, 3.6, 3)
    await page.getByTestId(`alert-item-${id}`).click()
    await expect(page.getByTestId('alert-ack')).toBeEnabled()
    line.hold()
    await raise(demo, steward, device, 4.9, 1)
    await expect(page.getByTestId('alert-card').locator('header [data-level]')).toHaveAttribute('data-level', '3')
    const before = await heard(page)

    if (way === 'button') await page.getByTestId('alert-ack').click()
    else await page.keyboard.press('k')
    // The line is still held: the page has asked for the alert itself, shows it, and rings.
    await expect(page.getByTestId('alert-refused')).toContainText('告警现为红色，显示的是黄色')
    await expect(page.getByTestId('alert-card').locator('header [data-level]')).toHaveAttribute('data-level', '1')
    await expect(page.getByTestId('alarm-bar')).toHaveAttribute('data-level', '1')
    await expect.poll(() => heard(page)).toBe(before + siren.red)
    expect((await alertOf(steward, device.id))!.handling).toBe('new')

    await expect(page.getByTestId('alert-ack')).toBeEnabled()
    if (way === 'button') await page.getByTestId('alert-ack').click()
    else await page.keyboard.press('k')
    await expect.poll(() => alertOf(steward, device.id).then((a) => a?.handling)).toBe('acknowledged')
    line.release()
    await clear(demo, steward, device)
  }
})

test('the bar of an admin page', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370611')
  const { page } = await as('r370611', { context: desk })
  const line = await holdable(page)
  await open(page, '/admin/rules')
  await expect(page.getByTestId('alarm-calm')).toBeVisible()
  await raise(demo, steward, device, 3.6, 3)
  const bar = page.getByTestId('alarm-bar')
  await expect(bar).toHaveAttribute('data-level', '3')
  await expect(page.getByTestId('alarm-ack')).toBeEnabled()
  line.hold()
  await raise(demo, steward, device, 4.9, 1)
  await page.getByTestId('alarm-ack').click()
  await expect(page.getByTestId('alarm-refused')).toContainText('告警现为红色，显示的是黄色')
  await expect(bar).toHaveAttribute('data-level', '1')
  expect((await alertOf(steward, device.id))!.handling).toBe('new')
  await page.getByTestId('alarm-ack').click()
  await expect.poll(() => alertOf(steward, device.id).then((a) => a?.handling)).toBe('acknowledged')
  await expect(page.getByTestId('alarm-calm')).toBeVisible()
})

test('phone: a tap on the screen, and a tap that waited for the network', async ({ as, demo, steward, sensor }) => {
  const [a, b] = [await sensor('370612'), await sensor('370612')]
  const { page } = await as('r370612', { context: { ...phone, ...desk } })
  const line = await holdable(page)
  await armedPhone(page)
  const takeover = page.getByTestId('takeover')

  await raise(demo, steward, a, 3.6, 3)
  await expect(takeover).toHaveAttribute('data-level', '3')
  line.hold()
  await raise(demo, steward, a, 4.9, 1)
  let before = await heard(page)
  await takeover.getByTestId('phone-ack').click()
  await expect(takeover).toHaveAttribute('data-level', '1')
  await expect(takeover.getByTestId('ack-refused')).toContainText('告警现为红色，显示的是黄色')
  await expect.poll(() => heard(page)).toBe(before + siren.red)
  expect((await alertOf(steward, a.id))!.handling).toBe('new')
  line.release()
  await takeover.getByTestId('phone-ack').click()
  await expect(takeover).toHaveCount(0)
  expect((await alertOf(steward, a.id))!.handling).toBe('acknowledged')

  const blue = await raise(demo, steward, b, 3.1, 4)
  await expect(takeover).toHaveAttribute('data-id', String(blue))
  await page.context().setOffline(true)
  await takeover.getByTestId('phone-ack').click()
  await expect(takeover.getByTestId('ack-waiting')).toBeVisible()
  await raise(demo, steward, b, 4.9, 1)
  before = await heard(page)
  await page.context().setOffline(false)
  await live(page)
  await expect(takeover.getByTestId('ack-refused')).toContainText('告警现为红色，显示的是蓝色')
  await expect(takeover).toHaveAttribute('data-level', '1')
  await expect.poll(() => heard(page)).toBeGreaterThanOrEqual(before + siren.red)
  expect((await alertOf(steward, b.id))!.handling).toBe('new')
  await takeover.getByTestId('phone-ack').click()
  await expect.poll(() => alertOf(steward, b.id).then((x) => x?.handling)).toBe('acknowledged')
  await expect(takeover).toHaveCount(0)
})

test('bulk: what rises while the reason is written is refused by its row, and taken when it is asked for again', async ({ as, demo, steward, sensor }) => {
  const [a, b] = [await sensor('370613'), await sensor('370613')]
  const { page } = await as('r370613')
  await open(page, '/')
  await live(page)
  const ids = [await raise(demo, steward, a, 3.6, 3), await raise(demo, steward, b, 3.6, 3)]
  await page.getByTestId('alert-select').click()
  for (const id of ids) await page.getByTestId(`alert-item-${id}`).click()
  await expect(page.getByTestId('bulk-count')).toContainText('2')
  await page.getByTestId('bulk-acknowledge').click()
  await page.getByTestId('bulk-note').fill('值班员已知悉')
  await raise(demo, steward, b, 4.9, 1)
  await expect(page.getByTestId(`alert-item-${ids[1]}`)).toHaveAttribute('data-level', '1')
  await page.getByTestId('bulk-send').click()
  const results = page.getByTestId('bulk-results')
  await expect(results).toHaveAttribute('data-done', '1')
  await expect(results).toHaveAttribute('data-refused', '1')
  await expect(results.locator('li')).toContainText(b.nameZh)
  await expect(results.locator('li')).toContainText('告警现为红色，显示的是黄色')
  expect((await alertOf(steward, a.id))!.handling).toBe('acknowledged')
  expect((await alertOf(steward, b.id))!.handling).toBe('new')
  await page.getByTestId('bulk-retry').click()
  await expect.poll(() => alertOf(steward, b.id).then((x) => x?.handling)).toBe('acknowledged')
})

test('a client that does not say what it showed cannot silence what has risen', async ({ as, demo, steward, sensor }) => {
  const [steady, risen] = [await sensor('370614'), await sensor('370614')]
  const ids = [await raise(demo, steward, steady, 4.9, 1), await raise(demo, steward, risen, 3.6, 3)]
  await raise(demo, steward, risen, 4.9, 1)
  const { page } = await as('r370614')
  const step = (id: number, data?: object) => page.context().request.post(`/api/v1/alerts/${id}/acknowledge`, data ? { data } : {})
  expect((await step(ids[0]!)).status()).toBe(200)
  const refused = await step(ids[1]!)
  expect([refused.status(), ((await refused.json()) as { code: string }).code]).toEqual([409, 'shown-missing'])
  expect((await alertOf(steward, risen.id))!.handling).toBe('new')
  expect((await step(ids[1]!, { level: 1 })).status()).toBe(200)
})
