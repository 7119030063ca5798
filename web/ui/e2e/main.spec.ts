// The main job: a sensor publishes, the map lights up, the county has the alert, both see it handled.

import type { Page } from '@playwright/test'
import { alertOf, clearAtOnce, expect, phone, publish, test } from './fixtures'

interface Drawn {
  id?: string
  rank: number
  point_count?: number
}
/** The page's read-only window for tests; it is there when the map is. */
type Shown = { __onemap?: { renderedDevices: Drawn[]; deviceLevel(id: string): number | undefined } }

const levelOf = (page: Page, id: string) => page.evaluate((d) => (window as unknown as Shown).__onemap?.deviceLevel(d), id)
const drawn = (page: Page) => page.evaluate(() => (window as unknown as Shown).__onemap?.renderedDevices ?? [])

test('a red reading turns the map red, in a cluster and alone; acknowledged here, seen there, then cleared', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370602')
  await clearAtOnce(steward, device)
  const { page: city, complaints } = await as('commander')
  const { page: county } = await as('r370602', { context: phone })
  await city.goto('/')
  await county.goto('/m')
  await expect(city.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await expect(county.getByTestId('live-status')).toHaveAttribute('data-status', 'live')

  await publish(demo, device, 4.8)
  await expect.poll(() => alertOf(steward, device.id).then((a) => a?.level)).toBe(1)
  const { id } = (await alertOf(steward, device.id))!

  const item = city.getByTestId(`alert-item-${id}`)
  await expect(item).toHaveAttribute('data-level', '1')
  await expect(city.getByTestId('header-count-1')).toHaveAttribute('data-count', /[1-9]/)
  await expect.poll(() => levelOf(city, device.id)).toBe(1)
  // The whole city is on the screen: the device is in a cluster, and the cluster wears the worst level.
  await expect.poll(async () => (await drawn(city)).some((d) => (d.point_count ?? 0) > 1 && d.rank === 1)).toBe(true)

  await item.click()
  await expect(city.getByTestId('alert-card')).toBeVisible()
  await expect(city.getByTestId('alert-card')).toContainText('4.80 m')
  // The map flew there, close enough for the device to stand alone.
  await expect.poll(async () => (await drawn(city)).some((d) => d.id === device.id && d.rank === 1)).toBe(true)

  await expect(county.getByTestId('takeover')).toHaveAttribute('data-id', String(id))
  await city.getByTestId('alert-ack').click()
  await expect(city.getByTestId('alert-handling')).toHaveAttribute('data-handling', 'acknowledged')
  await county.getByTestId('takeover-later').click()
  await expect(county.getByTestId(`phone-item-${id}`)).toHaveAttribute('data-handling', 'acknowledged')

  await publish(demo, device, 2.1)
  await expect.poll(() => alertOf(steward, device.id)).toBeUndefined()
  await expect.poll(() => levelOf(city, device.id)).toBe(0)
  await expect(county.getByTestId(`phone-item-${id}`)).toContainText('已解除')
  expect(complaints).toEqual([])
})
