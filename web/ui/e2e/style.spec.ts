// The style of a layer: a steward changes it, and maps that are open draw it, with its legend, without a reload.

import type { Page } from '@playwright/test'
import { expect, phone, test } from './fixtures'

type Shown = { __onemap?: { mapReady: boolean; paint(styleLayer: string, property: string): unknown } }

const layer = 'hazard_zone'
// The colours of tokens.ts.
const water = { dark: '#1f4e78', light: '#8fbcdc' }
const fill = (page: Page) => page.evaluate((name) => (window as unknown as Shown).__onemap?.paint(`${name}-fill`, 'fill-color'), layer)

test.afterEach(async ({ steward: api }) => {
  const { version } = (await (await api.get(`/api/v1/layers/${layer}`)).json()) as { version: number }
  await api.delete(`/api/v1/layers/${layer}/style`, { headers: { 'If-Match': `"${version}"` } })
})

async function openMap(page: Page): Promise<void> {
  await page.goto('/?v=9.00/37.40000/121.20000')
  await page.waitForFunction(() => (window as unknown as Shown).__onemap?.mapReady === true)
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await page.getByTestId(`layer-${layer}`).locator('.title').click()
}

async function openEditor(page: Page): Promise<void> {
  await page.goto('/admin/layers')
  await page.getByTestId(`layer-details-${layer}`).click()
  await page.getByTestId('edit-style').click()
  await expect(page.getByTestId('layer-style')).toBeVisible()
}

async function choose(page: Page, select: string, value: string): Promise<void> {
  await page.getByTestId(select).click()
  await page.getByTestId(`${select}-${value}`).click()
}

test('a colour that a steward changes is on the open maps of others, with its legend in both languages, and goes again', async ({ as }) => {
  const zh = await as('commander')
  const en = await as('r370602', { language: 'en', theme: 'light' })
  await openMap(zh.page)
  await openMap(en.page)
  expect(await fill(zh.page)).toEqual(expect.arrayContaining(['match'])) // the built-in one is by level

  const { page, complaints } = await as('steward')
  await openEditor(page)
  await choose(page, 'style-colour', 'water')
  await choose(page, 'style-outline', 'none')
  await page.getByTestId('style-text-zh').fill('试验区')
  await page.getByTestId('style-text-en').fill('Test area')
  await expect(page.getByTestId('style-preview').getByTestId('style-sample').first()).toHaveAttribute('data-fill', water.dark)
  await expect(page.getByTestId('style-preview')).toContainText('试验区')
  await page.getByTestId('style-save').click()
  await expect(page.getByTestId('said')).toContainText('样式已更新')
  await expect(page.getByTestId('style-state')).toContainText('自己的样式')
  await expect(page.getByTestId(`health-${layer}`).getByTestId('has-style')).toBeVisible()

  await expect.poll(() => fill(zh.page)).toBe(water.dark)
  await expect.poll(() => fill(en.page)).toBe(water.light)
  const legend = (on: Page) => on.getByTestId(`layer-${layer}`).locator('.legend')
  await expect(legend(zh.page)).toContainText('试验区')
  await expect(legend(en.page)).toContainText('Test area')
  await expect(legend(en.page).getByTestId('style-sample')).toHaveAttribute('data-fill', water.light)

  // Opened again, the form says what was chosen; it asks before it takes the style away.
  await page.getByTestId('edit-style').click()
  await expect(page.getByTestId('style-text-zh')).toHaveValue('试验区')
  await page.getByTestId('style-remove').click()
  await page.getByTestId('style-remove-yes').click()
  await expect(page.getByTestId('style-state')).toContainText('内置样式')
  await expect.poll(() => fill(zh.page)).toEqual(expect.arrayContaining(['match']))
  await expect(legend(zh.page)).toContainText('红')
  await expect(legend(zh.page)).not.toContainText('试验区')
  for (const heard of [complaints, zh.complaints, en.complaints]) expect(heard).toEqual([])
})

test('a fragment is refused at its path, by the map and by the server; nobody overwrites another', async ({ as, steward: api }) => {
  const { page, complaints } = await as('steward', { language: 'en' })
  await openEditor(page)
  await page.getByTestId('style-json').click()
  const text = page.getByTestId('style-text')
  const write = (paint: string) => text.fill(`{"layers":[{"id":"-fill","slot":"areas","type":"fill","paint":{"fill-color":${paint}}}]}`)
  await write('["get"]')
  await page.getByTestId('style-save').click()
  await expect(page.getByTestId('style-faults')).toContainText('style.layers[0].paint.fill-color')
  await write('{"$token":"leveles.1"}')
  await page.getByTestId('style-save').click()
  await expect(page.getByTestId('style-faults')).toContainText('style.layers[0].paint.fill-color unknown token "leveles.1"')

  const { version } = (await (await api.get(`/api/v1/layers/${layer}`)).json()) as { version: number }
  const other = { layers: [{ id: '-fill', slot: 'areas', type: 'fill', paint: { 'fill-color': { $token: 'ok' } } }] }
  const answer = await api.put(`/api/v1/layers/${layer}/style`, { data: other, headers: { 'If-Match': `"${version}"` } })
  expect(answer.status(), await answer.text()).toBe(200)
  await write('{"$token":"levels.1"}')
  await page.getByTestId('style-save').click()
  await expect(page.getByTestId('form-problem')).toBeVisible()
  await page.getByTestId('form-reload').click()
  // The form did not make it: it is shown as text.
  await expect(text).toHaveValue(/"ok"/)
  expect(complaints.filter((c) => !/status of (400|412)/.test(c))).toEqual([]) // the refusals that this test asks for
})

test('on a phone and by the keyboard', async ({ as }) => {
  const { page } = await as('steward', { context: phone })
  await openEditor(page)
  const wide = await page.getByTestId('layer-style').evaluate((form) => [form.scrollWidth, document.documentElement.clientWidth] as const)
  expect(wide[0]).toBeLessThanOrEqual(wide[1])
  await page.getByTestId('style-simple').focus()
  await page.getByTestId('style-json').click()
  await expect(page.getByTestId('style-text')).toBeVisible()
  await page.getByRole('tab', { selected: true }).focus()
  await page.keyboard.press('ArrowLeft')
  await expect(page.getByTestId('style-colour')).toBeVisible()
  await page.getByTestId('style-text-zh').fill('键盘')
  await page.getByTestId('style-text-zh').press('Enter')
  await expect(page.getByTestId('style-state')).toContainText('自己的样式')
})
