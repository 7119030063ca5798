// The desk without a mouse: few stops of the Tab key, the focus goes where the work is, and the wall by F11.

import type { Page } from '@playwright/test'
import { ownCity } from './alarmkit'
import { alertOf, expect, publish } from './fixtures'

const test = ownCity()

const focused = (page: Page) =>
  page.evaluate(() => {
    const e = document.activeElement as HTMLElement | null
    return e?.closest('[data-testid]') === e ? (e?.dataset.testid ?? '') : (e?.outerHTML.slice(0, 100) ?? '')
  })

/** Presses Tab until the focus is where it is wanted; how often that was. */
async function tabTo(page: Page, wanted: (at: string) => boolean, most: number): Promise<number> {
  const way: string[] = []
  for (let n = 1; n <= most; n++) {
    await page.keyboard.press('Tab')
    way.push(await focused(page))
    if (wanted(way.at(-1)!)) return n
  }
  throw new Error(`not reached: ${way.join(' → ')}`)
}

const live = (page: Page) => expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')

test('from the start of the page at most twelve Tabs lead to the first action of the first alert', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370614')
  await publish(demo, device, 4.9)
  await expect.poll(() => alertOf(steward, device.id).then((a) => a?.level)).toBe(1)
  const { page } = await as('commander')
  await page.goto('/')
  await live(page)
  const first = page.getByTestId('alert-list').getByRole('option').first()
  await expect(first).toHaveAttribute('data-handling', 'new')
  let tabs = await tabTo(page, (at) => at === 'skip-alerts', 3)
  await expect(page.getByTestId('skip-alerts')).toBeInViewport()
  await page.keyboard.press('Enter')
  await expect(first).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByTestId('alert-card')).toBeVisible()
  await expect.poll(() => page.evaluate(() => document.querySelector('[data-testid="alert-card"]')!.contains(document.activeElement))).toBe(true)
  await expect(page.getByTestId('alert-ack')).toBeEnabled()
  if ((await focused(page)) !== 'alert-ack') tabs += await tabTo(page, (at) => at === 'alert-ack', 12)
  expect(tabs).toBeLessThanOrEqual(12)
})

test('without a skip link the list of alerts is one stop, and few stand before it', { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
  for (const device of [await sensor('370614'), await sensor('370614'), await sensor('370614')]) {
    await publish(demo, device, 4.9)
    await expect.poll(() => alertOf(steward, device.id).then((a) => a?.level)).toBe(1)
  }
  const { page } = await as('commander')
  await page.goto('/')
  await live(page)
  await expect.poll(() => page.getByTestId('alert-list').getByRole('option').count()).toBeGreaterThan(2)
  expect(await page.locator('[data-testid="alert-list"] [role="option"][tabindex="0"]').count()).toBe(1)
  await tabTo(page, (at) => at.startsWith('alert-item-'), 30)
  const here = await focused(page)
  await page.keyboard.press('ArrowDown')
  await expect.poll(() => focused(page)).not.toBe(here)
  expect(await focused(page)).toMatch(/^alert-item-/)
  await page.keyboard.press('Tab')
  expect(await focused(page)).not.toMatch(/^alert-item-/)
  await page.keyboard.press('Shift+Tab')
  expect(await focused(page)).toMatch(/^alert-item-/) // where it was left
  expect(await focused(page)).not.toBe(here)
})

test('N opens the next alert that nobody has answered, K acknowledges it, and both say when there is nothing to do', async ({ as, demo, steward, sensor }) => {
  const devices = [await sensor('370682'), await sensor('370682')]
  const ids: number[] = []
  for (const device of devices) {
    await publish(demo, device, 4.9)
    await expect.poll(() => alertOf(steward, device.id).then((a) => a?.level)).toBe(1)
    ids.push((await alertOf(steward, device.id))!.id)
  }
  const { page } = await as('r370682')
  await page.goto('/')
  await live(page)
  await page.keyboard.press('k')
  await expect(page.getByTestId('key-said')).not.toBeEmpty()
  const answered: number[] = []
  const open = (await (await page.request.get('/api/v1/alerts', { params: { open: true } })).json()) as { items: { handling: string; detection: string }[] }
  const waiting = open.items.filter((a) => a.handling === 'new' && a.detection !== 'cleared').length
  for (let n = 0; n < waiting; n++) {
    await page.keyboard.press('n')
    const card = page.getByTestId('alert-card')
    await expect(card).toBeVisible()
    await expect.poll(() => page.evaluate(() => document.querySelector('[data-testid="alert-card"]')!.contains(document.activeElement))).toBe(true)
    await expect(page.getByTestId('alert-ack')).toBeEnabled()
    await expect.poll(() => Number(new URL(page.url()).searchParams.get('alert'))).not.toBe(answered.at(-1) ?? 0)
    await page.keyboard.press('k')
    await expect(page.getByTestId('alert-handling')).toHaveAttribute('data-handling', 'acknowledged')
    answered.push(Number(new URL(page.url()).searchParams.get('alert')))
  }
  expect(answered).toEqual(expect.arrayContaining(ids))
  for (const device of devices) expect((await alertOf(steward, device.id))!.handling).toBe('acknowledged')
  await page.keyboard.press('n')
  await expect(page.getByTestId('key-said')).not.toBeEmpty()
})

test('F11 is the wall, over the whole screen, and one Esc or F11 leaves it', { tag: '@wide' }, async ({ as }) => {
  const { page } = await as('commander')
  await page.goto('/')
  await live(page)
  for (const leave of ['F11', 'Escape']) {
    await page.keyboard.press('F11')
    await expect(page.getByTestId('wall-panel')).toBeVisible()
    await expect(page).toHaveURL(/wall=1/)
    await expect(page.getByTestId('alert-panel')).toHaveCount(0)
    await page.keyboard.press(leave)
    await expect(page.getByTestId('wall-panel')).toHaveCount(0)
    await expect(page.getByTestId('search')).toBeVisible()
    await expect(page).not.toHaveURL(/wall=1|alert=/)
  }
  // Also while an alert is open, and out of the browser's own full screen.
  await page.getByTestId('user-menu').click()
  await page.getByTestId('menu-wall').click()
  await expect(page.getByTestId('wall-panel')).toBeVisible()
  await page.evaluate(() => document.fullscreenElement && document.exitFullscreen())
  await page.keyboard.press('Escape')
  await expect(page.getByTestId('wall-panel')).toHaveCount(0)
})
