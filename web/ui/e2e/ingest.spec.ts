// The ingest path as a steward sees it: figures that move, what could not be stored, contradictions, and
// a device that falls silent and is heard of again.

import { expect, phone, publish, test } from './fixtures'

test('the ingest page counts what devices send, and the quarantine what could not be stored', async ({ as, demo, sensor }) => {
  const device = await sensor('370685')
  const { page, complaints } = await as('steward')
  await page.goto('/admin/ingest')
  await expect(page.getByTestId('broker-embedded')).toHaveAttribute('data-connected', 'true')
  const figure = async (key: string) => Number((await page.getByTestId(`fig-${key}`).innerText()).replaceAll(',', '').match(/\d+/)?.[0])
  await expect(page.getByTestId('fig-quarantined')).toBeVisible()
  const before = await figure('quarantined')
  await publish(demo, device, '{"v":')
  await publish(demo, device, 1.25)
  await expect.poll(() => figure('quarantined')).toBeGreaterThan(before)
  await expect(page.getByTestId('chart-flow').locator('canvas')).toBeVisible()
  expect(complaints).toEqual([])
})

test('what is wrong with a payload, and with a login, is said in the language of who reads it', async ({ as, demo, sensor }) => {
  const device = await sensor('370612')
  await publish(demo, device, JSON.stringify({ v: { [device.stream]: 'high' } }))
  await expect(publish(demo, { ...device, password: 'wrong' }, 1)).rejects.toThrow()
  for (const [language, value, login] of [
    ['zh', `v.${device.stream}：应为数字，实为字符串`, `设备不认识，或密码、证书不对；用户名 ${device.id}`],
    ['en', `v.${device.stream}: a string is not a number`, `unknown device, or wrong secret or certificate; user name ${device.id}`],
  ] as const) {
    const { page, complaints } = await as('steward', { language })
    await page.goto('/admin/quarantine')
    const row = page.locator('tr', { hasText: device.id })
    await expect(row).toContainText(value)
    await row.getByRole('button').click()
    await expect(page.getByTestId('payload')).toContainText(value)
    await page.goto('/admin/ingest')
    await expect(page.locator('tr[data-kind="credentials"]', { hasText: device.id })).toContainText(login)
    expect(complaints).toEqual([])
  }
})

test('a reading that comes again with another value is listed, and marked in the chart', async ({ as, demo, sensor }) => {
  const device = await sensor('370686')
  const t = new Date(Date.now() - 60_000).toISOString()
  for (const v of [1.5, 2.5]) await publish(demo, device, JSON.stringify({ t, v: { [device.stream]: v } }))
  const { page, complaints } = await as('steward')
  await page.goto('/admin/quarantine')
  await page.getByTestId('tab-conflicts').click()
  const row = page.locator('tr', { hasText: device.id })
  await expect(async () => {
    await page.getByTestId('conflicts-refresh').click()
    await expect(row).toContainText('2.5', { timeout: 20_000 })
  }).toPass()
  await expect(row).toContainText('1.5')
  await row.getByRole('link').click()
  await expect(page.getByTestId('device-card').locator('figcaption').first()).toContainText('需留意')
  expect(complaints).toEqual([])
})

test('a datastream that misses three of its intervals is shown as silent, and told', { tag: '@wide' }, async ({ as, demo, sensor, steward }) => {
  const device = await sensor('370687')
  expect((await steward.patch(`/api/v1/datastreams/${device.streamId}`, { data: { interval_s: 1 } })).ok()).toBe(true)
  await publish(demo, device, 1)
  const { page } = await as('commander')
  await page.goto(`/?card=device:${device.id}`)
  // three intervals are never less than half a minute
  await expect(page.getByTestId('stream-silent').first()).toBeVisible({ timeout: 120_000 })
  await page.goto('/events')
  const told = page.getByTestId('presence-table').locator(`tr[data-device="${device.id}"][data-state="stale"]`)
  await expect(told.first()).toBeVisible()
  // At a slow pace, so that it does not fall silent again before the page is there.
  expect((await steward.patch(`/api/v1/datastreams/${device.streamId}`, { data: { interval_s: 3600 } })).ok()).toBe(true)
  await publish(demo, device, 2)
  await page.goto(`/?card=device:${device.id}`)
  await expect(page.getByTestId('device-card').getByTestId('stream-chart').first()).not.toHaveAttribute('data-points', '0')
  await expect(page.getByTestId('stream-silent')).toHaveCount(0)
})

test('a steward disables a device from its card: it may not publish; its certificate, and a new secret', { tag: '@wide' }, async ({ as, demo, sensor }) => {
  const device = await sensor('370682')
  await publish(demo, device, 1)
  const { page, complaints } = await as('steward')
  await page.goto(`/?card=device:${device.id}`)
  const step = async (name: string) => {
    await page.getByTestId(`steward-${name}`).click()
    await page.getByTestId('steward-confirm').click()
    await expect(page.getByTestId('steward-said')).toBeVisible()
  }
  await page.getByTestId('device-steward').locator('summary').click()
  await page.getByTestId('steward-disable').click()
  await expect(page.getByTestId('device-steward')).toContainText('立即断开')
  await page.getByTestId('steward-confirm').click()
  await expect(page.getByTestId('device-status')).toContainText('已停用')
  await expect(async () => {
    await expect(publish(demo, device, 2)).rejects.toThrow()
  }).toPass()

  const held = page.getByTestId('steward-held')
  await expect(held).toContainText('无')
  await expect(page.getByTestId('steward-forget')).toHaveCount(0)
  await page.getByTestId('steward-certificate').click()
  await page.getByTestId('steward-given').fill('nothing')
  await page.getByTestId('steward-confirm').click()
  await expect(page.getByTestId('fault-given')).toContainText('64 位十六进制数字')
  await page.getByTestId('steward-given').fill('ab'.repeat(32))
  await page.getByTestId('steward-confirm').click()
  await expect(page.getByTestId('steward-said')).toContainText('abab')
  await expect(held).toContainText('ab'.repeat(32))
  await step('forget')
  await expect(held).toContainText('无')

  await step('enable')
  await expect(page.getByTestId('device-status')).not.toContainText('已停用')
  await step('secret')
  const secret = await page.getByTestId('steward-shown').innerText()
  await expect(async () => publish(demo, { ...device, password: secret }, 3)).toPass()
  await expect(page.getByTestId('stream-chart').first()).not.toHaveAttribute('data-points', '0')
  expect(complaints.filter((c) => !c.includes('/certificate'))).toEqual([])

  await page.goto('/admin/ingest')
  await expect(page.getByTestId('refusals-embedded')).toBeVisible()
})

test('a steward sets how often a datastream is expected, by keyboard on a narrow screen; what is no interval is named; empty is the default', { tag: '@wide' }, async ({ as, sensor, steward }) => {
  const device = await sensor('370681')
  const interval = async () => {
    const { datastreams } = (await (await steward.get(`/api/v1/devices/${device.id}`)).json()) as { datastreams: { id: number; interval_s: number }[] }
    return datastreams.find((s) => s.id === device.streamId)!.interval_s
  }
  const usual = await interval()
  const { page, complaints } = await as('steward', { context: { ...phone, isMobile: false }, language: 'en' })
  await page.goto(`/?card=device:${device.id}`)
  await page.getByTestId('device-steward').locator('summary').click() // nothing lies over the card
  const row = page.getByTestId(`interval-${device.stream}`)
  const field = row.getByRole('spinbutton')
  await expect(field).toHaveValue('')
  await expect(field).toHaveAttribute('placeholder', String(usual))
  const name = await row.locator('label').innerText()

  await field.fill('0')
  await field.press('Enter')
  await expect(row.getByTestId('fault-interval_s')).toContainText(name)
  await expect(field).toHaveAttribute('aria-invalid', 'true')
  expect(await interval()).toBe(usual)

  await field.fill('7')
  await field.press('Enter')
  await expect(page.getByTestId('interval-said')).toContainText('7 s')
  await expect(field).toHaveValue('7')
  expect(await interval()).toBe(7)
  const box = (await row.boundingBox())!
  expect(box.x + box.width).toBeLessThanOrEqual(390)

  await field.fill('')
  await field.press('Enter')
  await expect(page.getByTestId('interval-said')).toContainText(`${usual} s`)
  await expect(field).toHaveValue('')
  expect(await interval()).toBe(usual)
  expect(complaints).toEqual([])

  const { page: other } = await as('commander')
  await other.goto(`/?card=device:${device.id}`)
  await expect(other.getByTestId('device-card')).toBeVisible()
  await expect(other.getByTestId('device-steward')).toHaveCount(0)
})

test('a reading whose clock is ahead is marked as it comes, beside the value and in the chart, as after a reload', async ({ as, demo, sensor }) => {
  const device = await sensor('370613')
  await publish(demo, device, 1.25)
  const { page, complaints } = await as('commander')
  await page.goto(`/?card=device:${device.id}`)
  const card = page.getByTestId('device-card')
  await expect(card.getByTestId('stream-chart').first()).not.toHaveAttribute('data-points', '0')
  await expect(card.getByTestId('stream-flag')).toHaveCount(0)
  const t = new Date(Date.now() + 600_000).toISOString()
  await publish(demo, device, JSON.stringify({ t, v: { [device.stream]: 1.5 } }))
  for (const seen of ['live', 'reloaded']) {
    if (seen === 'reloaded') await page.reload()
    await expect(card.getByTestId('stream-flag').first(), seen).toHaveText('时钟不准')
  }
  await publish(demo, device, 1.75)
  await expect(card.getByTestId('stream-flag')).toHaveCount(0)
  await publish(demo, device, JSON.stringify({ t: new Date(Date.now() + 660_000).toISOString(), v: { [device.stream]: 1.5 } }))
  await expect(card.locator('figcaption').first()).toContainText('1 处需留意')
  expect(complaints).toEqual([])
})

test("a device's events, from its card by a link, and another's by its id", async ({ as, demo, sensor }) => {
  const [one, other] = [await sensor('370683'), await sensor('370683')]
  for (const device of [one, other]) await publish(demo, device, 1)
  const { page, complaints } = await as('commander')
  await page.goto(`/?card=device:${one.id}`)
  const asked = page.waitForRequest((r) => r.url().includes('/api/v1/events?') && new URL(r.url()).searchParams.get('device') === one.id)
  await page.getByTestId('device-events').click()
  await expect(page).toHaveURL(new RegExp(`/events\\?device=${one.id}$`))
  await asked
  const rows = page.getByTestId('presence-table').locator('tr[data-device]')
  await expect(rows.first()).toHaveAttribute('data-device', one.id)
  await expect(rows.first()).toHaveAttribute('data-state', 'online')
  await expect(page.getByTestId('presence-of')).toHaveText(one.nameZh)
  await expect(page.locator(`tr[data-device="${other.id}"]`)).toHaveCount(0)

  await page.getByTestId('presence-find').fill(other.id)
  await expect(rows.first()).toHaveAttribute('data-device', other.id)
  await expect(page.locator(`tr[data-device="${one.id}"]`)).toHaveCount(0)
  await expect(page).toHaveURL(new RegExp(`/events\\?device=${other.id}$`))
  await page.goto('/events?device=nobody')
  await expect(page.getByTestId('presence-empty')).toContainText('nobody')
  await page.getByTestId('presence-find').fill('')
  await expect(page.locator(`tr[data-device="${one.id}"]`).first()).toBeVisible()
  await page.getByTestId('presence-find').fill(one.nameZh)
  await expect(page).toHaveURL(/\/events\?q=/)
  await expect(page.locator(`tr[data-device="${one.id}"]`).first()).toBeVisible()
  expect(complaints).toEqual([])
})

test('figures that cannot be fetched are said to be old', async ({ as }) => {
  const { page } = await as('steward', { context: { serviceWorkers: 'block' } })
  await page.goto('/admin/ingest')
  await expect(page.getByTestId('ingest-node')).toBeVisible()
  await expect(page.getByTestId('late-frame')).toHaveAttribute('data-late', 'false')
  await page.route('**/api/v1/ingest', (route) => route.abort())
  await expect(page.getByTestId('late')).toBeVisible()
  await page.unroute('**/api/v1/ingest')
  await expect(page.getByTestId('late')).toHaveCount(0)
})
