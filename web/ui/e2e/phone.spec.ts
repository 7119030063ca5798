// The county responder's phone: the whole screen for a new alert, one tap, and nothing missed.

import { ownCity } from './alarmkit'
import { alertOf, clearAtOnce, expect, phone, publish } from './fixtures'

const test = ownCity()

test('a new alert takes the whole screen, one tap acknowledges it, another county has nothing', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370602')
  await clearAtOnce(steward, device)
  const { page, complaints } = await as('r370602', { context: phone })
  const { page: elsewhere } = await as('r370614', { context: phone })
  for (const p of [page, elsewhere]) {
    await p.goto('/m')
    await expect(p.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  }
  await expect(page.getByTestId('simulated')).toBeVisible()

  await publish(demo, device, 4.7)
  const takeover = page.getByTestId('takeover')
  await expect(takeover).toHaveAttribute('data-level', '1')
  await expect(takeover).toContainText('红色 I')
  await expect(takeover).toContainText(device.nameZh)
  await expect(takeover).toContainText('4.70 m')
  await expect(takeover).toContainText('处置建议')
  const button = takeover.getByTestId('phone-ack')
  const box = (await button.boundingBox())!
  expect(box.height).toBeGreaterThanOrEqual(48)
  expect(box.y).toBeGreaterThan(844 / 2) // under the thumb
  const { id } = (await alertOf(steward, device.id))!
  expect((await alertOf(steward, device.id))!.handling).toBe('new')

  await button.click()
  await expect(takeover).toBeHidden()
  await expect(page.getByTestId('ack-done')).toBeVisible()
  await expect(page.getByTestId(`phone-item-${id}`)).toHaveAttribute('data-handling', 'acknowledged')
  expect((await alertOf(steward, device.id))!.handling).toBe('acknowledged')

  await expect(elsewhere.getByTestId('takeover')).toHaveCount(0)
  await expect(elsewhere.getByTestId(`phone-item-${id}`)).toHaveCount(0)
  await publish(demo, device, 2.1)
  await expect(page.getByTestId(`phone-item-${id}`)).toContainText('已解除')
  await page.getByTestId(`phone-item-${id}`).click()
  await expect(page.getByTestId(`phone-item-${id}`)).toHaveAttribute('data-level', '1')
  await expect(page.getByTestId('phone-focus')).toHaveAttribute('data-level', '1')
  await expect(page.getByTestId('phone-peak')).toContainText('4.70 m（红色')
  expect(complaints).toEqual([])
})

test('sound is marked off until it is armed by a tap', async ({ as }) => {
  const { page } = await as('r370602', { context: phone })
  await page.goto('/m')
  await expect(page.getByTestId('sound-off')).toContainText('声音已关')
  await expect(page.getByTestId('sound-toggle')).toHaveAttribute('data-audible', 'false')
  await page.getByTestId('sound-off').click()
  await expect(page.getByTestId('sound-toggle')).toHaveAttribute('data-audible', 'true')
  await expect(page.getByTestId('sound-off')).toHaveCount(0)
  await page.getByTestId('sound-toggle').click()
  await expect(page.getByTestId('sound-off')).toBeVisible()
})

test('offline is said at once; back on line, what was missed is shown and a tap that waited is sent', async ({ as, demo, steward, sensor }) => {
  const before = await sensor('370611')
  const during = await sensor('370611')
  const { page } = await as('r370611', { context: phone })
  await page.goto('/m')
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await publish(demo, before, 4.9)
  await expect(page.getByTestId('takeover')).toBeVisible()

  await page.context().setOffline(true)
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'stale')
  await page.getByTestId('takeover').getByTestId('phone-ack').click()
  await expect(page.getByTestId('takeover').getByTestId('ack-waiting')).toBeVisible()
  await expect(page.getByTestId('ack-done')).toHaveCount(0)
  await page.getByTestId('takeover-later').click()
  await expect(page.getByTestId('banner-stale')).toBeVisible()
  await publish(demo, during, 4.6)
  await expect.poll(() => alertOf(steward, during.id).then((a) => a?.level)).toBe(1)
  expect((await alertOf(steward, before.id))!.handling).toBe('new')

  await page.context().setOffline(false)
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await expect(page.getByTestId('banner-stale')).toHaveCount(0)
  await expect(page.getByTestId('takeover')).toContainText(during.nameZh)
  await page.getByTestId('takeover-later').click()
  await expect(page.getByTestId('missed')).toContainText('离线期间 1 条')
  await page.getByTestId('missed').getByRole('button').first().click()
  await expect(page.getByTestId('missed')).toContainText(during.nameZh)
  await expect.poll(() => alertOf(steward, before.id).then((a) => a?.handling)).toBe('acknowledged')
})

test('a reload replays what was missed', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370612')
  const { page } = await as('r370612', { context: phone })
  await page.goto('/m')
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await expect.poll(() => page.evaluate(() => localStorage.getItem('onemap.phone.r370612'))).toContain('"seq"')
  await page.goto('about:blank')
  await publish(demo, device, 4.6)
  await expect.poll(() => alertOf(steward, device.id).then((a) => a?.level)).toBe(1)
  const { id } = (await alertOf(steward, device.id))!
  await page.goto('/m')
  await expect(page.getByTestId('takeover')).toHaveAttribute('data-id', String(id))
  await page.getByTestId('takeover-later').click()
  await expect(page.getByTestId('missed')).toHaveAttribute('data-count', '1')
  await page.getByTestId('missed-forget').click()
  await expect(page.getByTestId('missed')).toHaveCount(0)
})

test('what the server refuses is said, and is not shown as done', async ({ as, demo, sensor }) => {
  const device = await sensor('370613')
  const { page } = await as('r370613', { context: phone })
  await page.route('**/api/v1/alerts/*/acknowledge', (route) =>
    route.fulfill({ status: 409, contentType: 'application/problem+json', body: JSON.stringify({ status: 409, title: 'Conflict', detail: 'not now' }) }),
  )
  await page.goto('/m')
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await publish(demo, device, 4.6)
  await page.getByTestId('takeover').getByTestId('phone-ack').click()
  await expect(page.getByTestId('ack-refused')).toContainText('该对象的状态已经改变')
  await expect(page.getByTestId('takeover')).toBeVisible()
  await expect(page.getByTestId('ack-done')).toHaveCount(0)
})
