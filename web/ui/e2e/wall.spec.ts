// A wall: nobody scrolls, nobody clicks, and what matters is whole. And the map on paper.

import type { Page } from '@playwright/test'
import { ownCity } from './alarmkit'
import { alertOf, expect, publish } from './fixtures'

const test = ownCity()

type Shown = { __onemap?: { mapReady: boolean } }
const ready = (page: Page) => page.waitForFunction(() => (window as unknown as Shown).__onemap?.mapReady === true)

/** What of an element's texts is cut off: by a box around it that hides what reaches over it, or by the screen. */
const cut = (page: Page, testId: string) =>
  page.getByTestId(testId).evaluate((root) => {
    const faults: string[] = []
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      const range = document.createRange()
      range.selectNodeContents(node)
      const boxes = node.textContent?.trim() ? [...range.getClientRects()] : []
      for (const box of boxes) {
        if (box.left < -1 || box.top < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1) faults.push(`off the screen: ${node.textContent}`)
        for (let p = node.parentElement; p; p = p.parentElement) {
          const clip = p.getBoundingClientRect()
          if (getComputedStyle(p).overflow !== 'visible' && (box.bottom > clip.bottom + 1 || box.right > clip.right + 1)) faults.push(`clipped: ${node.textContent}`)
        }
      }
    }
    return faults
  })

for (const [width, height, language] of [[1366, 768, 'zh'], [1920, 1080, 'en'], [3840, 2160, 'zh']] as const) {
  test(`the wall's card is whole, and live rows come before cleared ones (${width}, ${language})`, { tag: '@wide' }, async ({ as, demo, steward, sensor }) => {
    const device = await sensor('370686')
    await publish(demo, device, 4.7)
    await expect.poll(() => alertOf(steward, device.id).then((a) => a?.level)).toBe(1)
    const { id } = (await alertOf(steward, device.id))!
    const { page } = await as('commander', { context: { viewport: { width, height } }, language })
    await page.goto(`/?wall=1&alert=${id}`)
    const card = page.getByTestId('wall-card')
    await expect(card).toHaveAttribute('data-id', String(id))
    await expect(page.getByTestId('wall-where')).toContainText(language === 'zh' ? device.nameZh : 'water level station')
    await expect(page.getByTestId('wall-value')).toContainText('4.70 m')
    await expect(page.getByTestId('wall-told')).toContainText(language === 'zh' ? '尚未确认' : 'not confirmed')
    expect(await cut(page, 'wall-card')).toEqual([])
    // 48 px on 4K, and in proportion; never below 16.
    await expect.poll(() => card.evaluate((e) => parseFloat(getComputedStyle(e).fontSize))).toBeCloseTo(Math.max(16, (48 * width) / 3840), 0)

    const rows = await page.locator('[data-row]').evaluateAll((all) => all.map((e) => ({ past: e.classList.contains('past'), bottom: e.getBoundingClientRect().bottom })))
    expect(rows.length).toBeGreaterThan(0)
    const firstPast = rows.findIndex((r) => r.past)
    expect(rows.slice(firstPast === -1 ? rows.length : firstPast).every((r) => r.past)).toBe(true)
    for (const r of rows) expect(r.bottom).toBeLessThanOrEqual(height)
    const list = await page.getByTestId('wall-panel').evaluate((e) => e.scrollHeight - e.clientHeight)
    expect(list).toBeLessThanOrEqual(1)

    await page.keyboard.press('Escape')
    await expect(page.getByTestId('wall-panel')).toHaveCount(0)
    await expect(page.getByTestId('alert-panel')).toBeVisible()
    await expect(page).not.toHaveURL(/wall=1/)
  })
}

test('a hundred cleared alerts push no live one off the wall', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370612')
  await publish(demo, device, 4.9) // the newest of the worst stands first
  await expect.poll(() => alertOf(steward, device.id).then((a) => a?.level)).toBeTruthy()
  const { id } = (await alertOf(steward, device.id))!
  const { page } = await as('commander')
  await page.route('**/api/v1/alerts?*', async (route) => {
    const body = (await (await route.fetch()).json()) as { items: { id: number; detection: string; version: number; cleared_at: string | null }[] }
    const like = body.items.find((a) => a.id === id)!
    const cleared = Array.from({ length: 100 }, (_, i) => ({ ...like, id: 1_000_000 + i, level: 4, value: 1, peak_level: 1, peak_value: 6.25, detection: 'cleared', cleared_at: new Date().toISOString() }))
    await route.fulfill({ json: { ...body, items: [...cleared, ...body.items] } })
  })
  await page.goto('/?wall=1')
  await expect(page.getByTestId(`wall-row-${id}`)).toBeVisible()
  const live = (await (await steward.get('/api/v1/alerts', { params: { open: true } })).json()) as { items: { detection: string }[] }
  const active = live.items.filter((a) => a.detection !== 'cleared').length
  const shown = await page.locator('[data-row]:not(.past)').count()
  expect(shown).toBe(active)
  await expect(page.getByTestId('wall-more')).toHaveCount(0)
  // What is over is named by its worst, not by how it ended.
  const past = page.locator('[data-row].past').first()
  await expect(past).toHaveAttribute('data-level', '1')
  await expect(past).toContainText('最高 6.25 m')
})

/** The sheet as it is drawn: the picture's and the sheet's boxes, the background, and the share of dark pixels. */
const paper = (page: Page) =>
  page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('canvas.maplibregl-canvas')!
    const small = Object.assign(document.createElement('canvas'), { width: 200, height: 140 })
    const pen = small.getContext('2d')!
    pen.drawImage(canvas, 0, 0, 200, 140)
    const { data } = pen.getImageData(0, 0, 200, 140)
    let dark = 0
    for (let i = 0; i < data.length; i += 4) if (data[i]! + data[i + 1]! + data[i + 2]! < 240) dark++
    const box = (e: Element) => {
      const r = e.getBoundingClientRect()
      return [r.left, r.top, r.right, r.bottom].map(Math.round)
    }
    return {
      canvas: box(canvas),
      sheet: box(document.querySelector('[data-testid="sheet"]')!),
      page: [0, 0, innerWidth, innerHeight],
      background: [document.documentElement, document.body, document.querySelector('.shell')!].map((e) => getComputedStyle(e).backgroundColor),
      outline: getComputedStyle(canvas).outlineStyle,
      dark: dark / 28_000,
    }
  })

for (const width of [1366, 1920]) {
  for (const theme of ['dark', 'light'] as const) {
    test(`the printed map covers the sheet and is light (${width}, ${theme})`, { tag: '@wide' }, async ({ as }) => {
      const { page } = await as('commander', { context: { viewport: { width, height: Math.round((width * 9) / 16) } }, theme })
      await page.goto('/')
      await ready(page)
      await page.locator('canvas.maplibregl-canvas').focus()
      const before = page.url()
      await page.emulateMedia({ media: 'print' })
      await expect(page.locator('html')).toHaveAttribute('data-sheet', 'ready', { timeout: 200_000 })
      const seen = await paper(page)
      expect(seen.sheet).toEqual(seen.page)
      expect(seen.canvas[0]).toBeLessThanOrEqual(0)
      expect(seen.canvas[1]).toBeLessThanOrEqual(0)
      expect(seen.canvas[2]).toBeGreaterThanOrEqual(seen.page[2]!)
      expect(seen.canvas[3]).toBeGreaterThanOrEqual(seen.page[3]!)
      expect(seen.background).toEqual(Array(3).fill('rgb(255, 255, 255)'))
      expect(seen.outline).toBe('none')
      expect(seen.dark).toBeLessThan(0.05)
      await expect(page.getByTestId('sheet-legend')).toContainText('监测设备')
      await expect(page.getByTestId('header')).toBeHidden()

      await page.emulateMedia({ media: 'screen' })
      await expect(page.locator('html')).not.toHaveAttribute('data-sheet')
      await expect(page.getByTestId('alert-panel')).toBeVisible()
      await expect.poll(() => page.url()).toBe(before.includes('v=') ? before : page.url())
    })
  }
}

test('the preview has fields for title and author, a legend of what is shown, and one page of A3', { tag: '@wide' }, async ({ as }) => {
  const { page } = await as('commander')
  await page.goto('/')
  await ready(page)
  await page.keyboard.press('Control+p')
  await expect(page.getByTestId('print-desk')).toBeVisible()
  await expect(page.locator('html')).toHaveAttribute('data-sheet', 'ready', { timeout: 200_000 })
  await page.getByTestId('print-title').fill('防汛值班图')
  await page.getByTestId('print-author').fill('张三')
  await expect(page.getByTestId('sheet-title')).toHaveText('防汛值班图')
  await expect(page.getByTestId('sheet-foot')).toContainText('张三')
  await expect(page.getByTestId('sheet-foot')).toContainText('数据来源')
  await expect(page.getByTestId('sheet')).toContainText('模拟数据')
  const legend = page.getByTestId('sheet-legend')
  await expect(legend).toContainText('风险源')
  await expect(legend).not.toContainText('医院') // they are not drawn at this zoom
  const pdf = (await page.pdf({ preferCSSPageSize: true })).toString('latin1')
  expect(pdf.match(/\/Type\s*\/Page\b/g)).toHaveLength(1)
  const [, width, height] = /\/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)/.exec(pdf)!.map(Number)
  expect([Math.round(width!), Math.round(height!)]).toEqual([1191, 842]) // points: 420 × 297 mm
  await page.keyboard.press('Escape')
  await expect(page.getByTestId('print-desk')).toHaveCount(0)
  await expect(page.getByTestId('alert-panel')).toBeVisible()
})

test('a layer that is switched off is not in the legend, and a print without the preview is light and whole too', async ({ as }) => {
  const { page } = await as('commander', { theme: 'dark' })
  await page.goto('/?layers=risk_source:0')
  await ready(page)
  const seen = await page.evaluate(() => {
    window.dispatchEvent(new Event('beforeprint')) // what is drawn when it returns is what the browser prints
    const canvas = document.querySelector<HTMLCanvasElement>('canvas.maplibregl-canvas')!
    return { width: canvas.clientWidth, height: canvas.clientHeight, filter: getComputedStyle(canvas).filter }
  })
  expect(seen.width).toBeGreaterThanOrEqual(1526) // 404 mm
  expect(seen.height).toBeGreaterThanOrEqual(1061) // 281 mm
  expect(seen.filter).toContain('invert') // the dark picture is turned: there is no time to draw another
  await expect(page.getByTestId('sheet-legend')).not.toContainText('风险源')
  await page.evaluate(() => window.dispatchEvent(new Event('afterprint')))
  await expect(page.locator('html')).not.toHaveAttribute('data-sheet')
  expect(await page.locator('canvas.maplibregl-canvas').evaluate((e) => e.clientWidth)).toBe(1366)
})
