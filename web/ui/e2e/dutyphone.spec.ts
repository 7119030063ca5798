// A duty phone: logged in by the link of its QR code, it acknowledges for its county, and it is loud when it is revoked.

import { ownCity } from './alarmkit'
import { alertOf, expect, phone, pick, publish } from './fixtures'

const test = ownCity()

test('a duty phone logs in by its link, acknowledges, keeps its login over a reload, and is revoked aloud', async ({ as, demo, steward, sensor }) => {
  const device = await sensor('370687')
  const { page: admin } = await as('admin')
  await admin.goto('/admin/displays')
  await admin.getByTestId('display-add').click()
  const form = admin.locator('form', { has: admin.getByTestId('display-name') })
  await form.getByTestId('display-name').fill('海阳值班手机')
  await pick(form.getByTestId('display-division'), '370687')
  await pick(form.getByTestId('display-mode'), 'acknowledge')
  await pick(form.getByTestId('display-start'), 'phone')
  await form.getByTestId('display-save').click()
  const link = await admin.getByTestId('display-url').inputValue()
  await admin.getByTestId('link-done').click()

  const { page, complaints } = await as(null, { context: phone })
  await page.addInitScript(() => {
    Object.assign(window, { tones: 0 })
    const make = AudioContext.prototype.createOscillator
    AudioContext.prototype.createOscillator = function (this: AudioContext) {
      ;(window as unknown as { tones: number }).tones++
      return make.call(this)
    }
  })
  const tones = () => page.evaluate(() => (window as unknown as { tones: number }).tones)
  await page.goto(link)
  await expect(page.getByTestId('device-title')).toContainText('海阳值班手机')
  await page.getByTestId('device-claim').click()
  await expect(page).toHaveURL(/\/m$/)
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await page.reload()
  await expect(page.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await expect(page.getByTestId('phone-header')).toContainText('海阳')
  await page.getByTestId('sound-off').click()

  await publish(demo, device, 4.9)
  const takeover = page.getByTestId('takeover')
  await expect(takeover).toContainText(device.nameZh)
  await takeover.getByTestId('phone-ack').click()
  await expect.poll(() => alertOf(steward, device.id).then((a) => a?.handling)).toBe('acknowledged')
  const { id } = (await alertOf(steward, device.id))!
  await expect(page.getByTestId(`phone-item-${id}`)).toHaveAttribute('data-handling', 'acknowledged')
  const refused = await page.request.post(`/api/v1/alerts/${id}/resolve`, { data: { note: 'x' } })
  expect(refused.status()).toBe(403) // it acknowledges, and no more

  const row = admin.locator('tr', { hasText: '海阳值班手机' })
  await expect(row.getByTestId('display-state')).toHaveText('在线')
  await row.getByTestId('revoke').click()
  await row.getByTestId('revoke-yes').click()
  await expect(page.getByTestId('banner-session')).toContainText('已被撤销')
  const before = await tones()
  await expect.poll(tones).toBeGreaterThan(before) // aloud
  await expect(page.getByTestId('relogin')).toHaveCount(0)
  await expect(page.getByTestId(`phone-item-${id}`)).toBeVisible() // over the last picture
  expect((await page.request.get('/api/v1/me')).status()).toBe(401)
  expect(complaints.filter((c) => !/40[13]/.test(c))).toEqual([])
})
