// Where a feature comes from, and what was done to it: on its card, in both languages, as it changes.

import type { APIRequestContext } from '@playwright/test'
import { expect, test } from './fixtures'

const list = '/api/v1/layers/hospital/features'

async function edit(api: APIRequestContext, change: object | string): Promise<number[]> {
  const { etag } = (await api.get(list, { params: { limit: 1 } })).headers()
  const data = Buffer.from(typeof change === 'string' ? change : JSON.stringify(change)) // as it is: no digit of a text is touched
  const answer = await api.patch(list, { data, headers: { 'Content-Type': 'application/json', 'If-Match': etag! } })
  expect(answer.status(), await answer.text()).toBe(200)
  return ((await answer.json()) as { created: number[] }).created
}

for (const language of ['zh', 'en'] as const) {
  const words = {
    zh: { drawn: '由 steward 绘制', moved: '由 steward 移动', edited: '由 steward 修改', created: '新建', updated: '修改', place: '位置', none: '无', imported: '导入：' },
    en: { drawn: 'Drawn by steward', moved: 'Moved by steward', edited: 'Edited by steward', created: 'Created', updated: 'Changed', place: 'Position', none: 'none', imported: 'Import: ' },
  }[language]

  test(`a feature says who drew, moved and edited it, and its history: ${language}`, async ({ as, steward }) => {
    const [id] = await edit(steward, {
      create: [{ type: 'Feature', geometry: { type: 'Point', coordinates: [121.41, 37.51] }, properties: { division: '370602', name: { zh: '手绘医院', en: 'Drawn hospital' } } }],
    })
    const { page, complaints } = await as('commander', { language })
    await page.goto(`/?card=hospital:${id}`)
    const source = page.getByTestId('feature-source')
    await expect(source).toContainText(words.drawn)
    await expect(source.locator('.from')).toHaveCount(1) // not the layer's source
    await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
    // The card follows what is done elsewhere.
    await edit(steward, { move: [{ id, geometry: { type: 'Point', coordinates: [121.42, 37.51] } }] })
    await expect(source).toContainText(words.moved)
    await edit(steward, `{"update":[{"id":${id},"fields":{"reg":370602199001011238,"rate":1.10}}]}`)
    await expect(source).toContainText(words.edited)
    await expect(page.getByTestId('feature-card')).toContainText('370602199001011238')
    await page.getByTestId('feature-history-open').click()
    const entries = page.getByTestId('feature-history').locator('li')
    await expect(entries).toHaveCount(3)
    await expect(entries.nth(0)).toContainText(new RegExp(`${words.updated}\\s*steward`))
    await expect(entries.nth(0)).toContainText(`reg: ${words.none} → 370602199001011238`)
    await expect(entries.nth(0)).toContainText(`rate: ${words.none} → 1.10`)
    await expect(entries.nth(1)).toContainText(`${words.place}: 121.4100000° E, 37.5100000° N → 121.4200000° E, 37.5100000° N`)
    await expect(entries.nth(2)).toContainText(new RegExp(`${words.created}\\s*steward`))
    await edit(steward, { delete: [id] })
    await expect(page.getByTestId('feature-source')).toHaveCount(0)
    expect(complaints.filter((c) => !c.includes(`${list}/${id}`))).toEqual([]) // the card learns that the feature is gone by a 404
  })

  test(`what was imported and then moved says both: ${language}`, async ({ as, steward }) => {
    const { features } = (await (await steward.get(list, { params: { limit: 9 } })).json()) as {
      features: { id: number; properties: { import: string }; geometry: { coordinates: [number, number] } }[]
    }
    const { id, properties, geometry } = features[language === 'zh' ? 6 : 7]!
    const [lon, lat] = geometry.coordinates
    await edit(steward, { move: [{ id, geometry: { type: 'Point', coordinates: [lon + 0.001, lat] } }] })
    const { page } = await as('commander', { language })
    await page.goto(`/?card=hospital:${id}`)
    await expect(page.getByTestId('feature-source')).toContainText(properties.import)
    await expect(page.getByTestId('feature-source')).toContainText(words.moved)
    await page.getByTestId('feature-history-open').click()
    await expect(page.getByTestId('feature-history').locator('li').last()).toContainText(words.imported + properties.import)
  })
}
