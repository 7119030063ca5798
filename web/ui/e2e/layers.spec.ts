// The page of layer health, and the form for a layer's tile rules.

import { expect, test } from './fixtures'

test('layers, their numbers and order; a rule is changed, and nobody overwrites another', async ({ as, steward: api }) => {
  const { page, complaints } = await as('steward')
  await page.goto('/admin/layers')
  await expect(page.getByTestId('layers-feed')).toHaveClass(/admin-ok/)
  const row = page.getByTestId('health-shelter')
  await expect(row).toHaveAttribute('data-source', 'memory')
  await expect(page.getByTestId('layers-totals')).toContainText('MiB')
  await page.getByTestId('sort-features').click()
  await expect(page.getByTestId('layers-table').locator('tbody tr').first()).toHaveAttribute('data-testid', /health-(risk_source|hazard_zone)/)
  await page.getByTestId('layers-filter').fill('shelter')
  await expect(page.getByTestId('layers-table').locator('tbody tr')).toHaveCount(1)

  const openForm = async (on: typeof page) => {
    await on.getByTestId('layer-details-shelter').click()
    await expect(on.getByTestId('undrawn-none')).toBeVisible()
    await on.getByTestId('edit-rules').click()
    await expect(on.getByTestId('layer-rules')).toBeVisible()
  }
  await openForm(page)
  await page.getByTestId('rule-simplify').fill('300')
  await page.getByTestId('rules-save').click()
  await expect(page.getByTestId('fault-simplify')).toContainText('300 不在 0 至 256 之间')
  await page.getByTestId('rule-simplify').fill('')

  const { page: other } = await as('steward')
  await other.goto('/admin/layers')
  await openForm(other)
  await other.getByTestId('rule-buffer').fill('128')
  await other.getByTestId('cluster-own').check()
  await other.getByTestId('cluster-to-zoom').fill('9')
  await other.getByTestId('rules-save').click()
  await expect(other.getByTestId('said')).toContainText('已更新')

  await page.getByTestId('rule-buffer').fill('32')
  await page.getByTestId('rules-save').click()
  await expect(page.getByTestId('form-problem')).toContainText('其他人已修改')
  await page.getByTestId('form-reload').click()
  await expect(page.getByTestId('rule-buffer')).toHaveValue('128')
  await expect(page.getByTestId('cluster-to-zoom')).toHaveValue('9')
  const tile = async () => ((await (await api.get('/api/v1/layers/shelter')).json()) as { tile?: unknown }).tile
  expect(await tile()).toMatchObject({ buffer: 128, cluster: { cell: 512, to_zoom: 9 } })

  // Back to the defaults.
  await page.getByTestId('rule-buffer').fill('')
  await page.getByTestId('cluster-default').check()
  await page.getByTestId('rules-save').click()
  await expect(page.getByTestId('said')).toContainText('已更新')
  expect(await tile()).not.toHaveProperty('buffer')
  expect(complaints.filter((c) => !/status of (400|412)/.test(c))).toEqual([]) // the two refusals that this test asks for
})

test('who may not edit data is told so; a server that fails leaves what was there, with its age', async ({ as }) => {
  const { page: observer } = await as('observer')
  await observer.goto('/admin/layers')
  await expect(observer.getByTestId('forbidden')).toBeVisible()
  const { page } = await as('steward')
  await page.goto('/admin/layers')
  await expect(page.getByTestId('layers-table')).toBeVisible()
  await page.route('**/api/v1/tiles/layers', (route) => route.abort())
  const late = page.getByTestId('late')
  await expect(late).toContainText('服务器没有应答')
  await expect(late).not.toContainText(/[A-Za-z]{2}/)
  // What the server said of its feed is as old as the rest, and does not look like the present.
  const grey = await page.getByTestId('layers-feed').evaluate((e) => getComputedStyle(e.closest('[data-late="true"]')!).filter)
  expect(grey).toContain('grayscale')
  await expect(page.getByTestId('layers-table')).toBeVisible()
})
