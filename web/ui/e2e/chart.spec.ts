// A chart of a long time, which has not every reading.

import { expect, publish, test } from './fixtures'

test('a chart of 30 days tells of every reading that is flagged, also of those that it does not draw', { tag: '@wide' }, async ({ as, demo, sensor }) => {
  const device = await sensor('370686')
  const readings = 2400
  const bad = (i: number) => i % 6 === 3 // more than the chart has points for
  const end = Date.now() - 60_000
  const series = Array.from({ length: readings }, (_, i) => ({
    t: new Date(end - (readings - 1 - i) * 1_060_000).toISOString(),
    v: { [device.stream]: bad(i) ? 9999 : 2 + Math.sin(i / 50) },
  }))
  for (let i = 0; i < readings; i += 600) await publish(demo, device, JSON.stringify(series.slice(i, i + 600)))
  for (const [language, days, said] of [['zh', '30 天', '× 超出量程 400'], ['en', '30 d', '× out of range 400']] as const) {
    const { page, complaints } = await as('commander', { language })
    await page.goto(`/?card=device:${device.id}`)
    await expect(page.getByTestId('device-card')).toBeVisible()
    await page.keyboard.press('t')
    const drawer = page.getByTestId('drawer')
    await drawer.getByRole('button', { name: days, exact: true }).click()
    const chart = drawer.locator(`[data-testid="stream-chart"][data-stream="${device.streamId}"]`)
    await expect(chart.locator('[data-flag="bad"]')).toHaveText(said)
    await expect(chart).not.toHaveAttribute('data-points', '0')
    expect(complaints).toEqual([])
  }
})
