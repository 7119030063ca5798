// Rules, accounts and the quarantine by their forms.

import { ownCity } from './alarmkit'
import { expect, phone, pick, publish } from './fixtures'

const test = ownCity()

test('a rule made by the form fires; two people at once do not overwrite each other; it is deleted', async ({ as, demo, sensor, steward: api }) => {
  const device = await sensor('370682')
  const name = `试验规则 ${device.id}`
  const { page } = await as('steward')
  await page.goto('/admin/rules')
  await page.getByTestId('rule-add').click()
  await page.getByTestId('rule-save').click()
  // What cannot be sent is said at once; what only the server judges stands at its field after it was asked.
  await expect(page.getByTestId('rule-form')).toContainText('必填')

  await page.getByTestId('rule-of-stream').check()
  await page.getByTestId('rule-device').fill(device.id)
  await page.getByTestId(`stream-${device.id}-${device.stream}`).click()
  await expect(page.getByTestId('rule-stream')).toContainText(device.nameZh)
  for (const level of [3, 4]) await page.getByTestId(`rule-use-${level}`).uncheck()
  await page.getByTestId('rule-raise-1').fill('9')
  await page.getByTestId('rule-clear-1').fill('9')
  await page.getByTestId('rule-raise-2').fill('9.5')
  await page.getByTestId('rule-clear-2').fill('7')
  await page.getByTestId('rule-save').click()
  await expect(page.getByTestId('rule-form')).toContainText('规则要有中文名称')
  await expect(page.getByTestId('rule-level-1')).toContainText('触发值 9 的安全一侧')
  await expect(page.getByTestId('rule-level-2')).toContainText('9.5')
  await page.getByTestId('rule-name-zh').fill(name)
  await page.getByTestId('rule-clear-1').fill('8.5')
  await page.getByTestId('rule-raise-2').fill('7.5')
  await expect(page.getByTestId('band-preview').locator('.band')).toHaveCount(2)
  await page.getByTestId('rule-save').click()
  await expect(page.getByTestId('said')).toContainText('已创建')
  const row = page.locator('tr', { hasText: name })
  await expect(row).toContainText(device.nameZh)

  // Its own rule takes the type's place: 4.8 is red by the type, and nothing by this one.
  const { page: county } = await as('r370682', { context: phone })
  await county.goto('/m')
  await expect(county.getByTestId('live-status')).toHaveAttribute('data-status', 'live')
  await publish(demo, device, 4.8)
  await publish(demo, device, 7.6)
  await expect(county.getByTestId('takeover')).toHaveAttribute('data-level', '2')
  await expect(county.getByTestId('takeover')).toContainText(device.nameZh)
  await expect(county.getByTestId('takeover-more')).toHaveCount(0)

  // Somebody else changes it in between.
  await row.getByRole('button', { name: '修改' }).click()
  const { page: other } = await as('steward')
  await other.goto('/admin/rules')
  await other.locator('tr', { hasText: name }).getByRole('button', { name: '修改' }).click()
  await expect(other.getByTestId('rule-hold')).toHaveValue('180')
  await other.getByTestId('rule-hold').fill('90')
  await other.getByTestId('rule-for').fill('5')
  await other.getByTestId('rule-save').click()
  await expect(other.getByTestId('said')).toBeVisible()
  await page.getByTestId('rule-for').fill('7')
  await page.getByTestId('rule-save').click()
  await expect(page.getByTestId('form-problem')).toContainText('其他人已修改')
  await page.getByTestId('form-reload').click()
  await expect(page.getByTestId('rule-for')).toHaveValue('5')
  await expect(page.getByTestId('rule-hold')).toHaveValue('90')

  // What was saved can be deleted while the list is still being fetched.
  let listed = () => {}
  const held = new Promise<void>((done) => (listed = done))
  await page.route('**/api/v1/rules?*', async (route) => {
    await held
    await route.continue()
  })
  await page.getByTestId('rule-save').click()
  await expect(page.getByTestId('said')).toContainText('已更新')
  await row.getByRole('button', { name: '删除' }).click()
  await page.getByTestId('rule-remove-confirm').click()
  await expect(page.getByTestId('said')).toContainText('已删除')
  listed()
  await expect(row).toHaveCount(0)

  // Its alert ends with it, and says why to each reader in one language.
  let alert = 0
  await expect.poll(async () => {
    const { items } = (await (await api.get(`/api/v1/alerts?device=${device.id}`)).json()) as { items: { id: number; detection: string }[] }
    alert = items.find((a) => a.detection === 'cleared')?.id ?? 0
    return alert
  }).not.toBe(0)
  for (const [language, why] of [['zh', '规则已删除'], ['en', 'the rule was deleted']] as const) {
    const { page: reader } = await as('commander', { language })
    await reader.goto(`/?alert=${alert}`)
    await expect(reader.getByTestId('alert-history').locator('[data-step=cleared] p:not([data-testid])')).toHaveText(why)
  }
})

test('an account is made, logs in, is given another division, and is disabled', { tag: '@wide' }, async ({ as }) => {
  const user = `e2e-${Date.now().toString(36)}`
  const { page } = await as('admin')
  await page.goto('/admin/accounts')
  await page.getByTestId('account-add').click()
  await page.getByTestId('account-user').fill(user)
  await page.getByTestId('account-name').fill('测试员')
  await pick(page.getByTestId('account-role'), 'county_responder')
  await pick(page.getByTestId('account-division'), '3706')
  await page.getByTestId('account-password').fill('short')
  await page.getByTestId('account-save').click()
  await expect(page.getByTestId('account-form')).toContainText('至少 10 个字符')
  await page.getByTestId('account-password').fill('a long password')
  await page.getByTestId('account-save').click()
  await expect(page.getByTestId('account-form').locator('.fault')).toContainText('6 位')
  await pick(page.getByTestId('account-division'), '370685')
  await page.getByTestId('account-save').click()
  await expect(page.getByTestId('said')).toContainText(user)
  await expect(page.getByTestId(`account-${user}`)).toContainText('招远')

  const { page: own } = await as(null)
  const enter = async (password: string) => {
    await own.goto('/login?next=/about')
    await own.getByTestId('login-user').fill(user)
    await own.getByTestId('login-password').fill(password)
    await own.getByTestId('login-submit').click()
  }
  await enter('a long password')
  await expect(own.getByTestId('admin-header')).toContainText('测试员')

  await page.getByTestId(`sessions-${user}`).click()
  await page.getByTestId('session-revoke').click()
  await page.getByTestId('session-confirm').click()
  await expect(page.getByTestId('sessions')).toContainText('已结束')
  await own.goto('/about')
  await expect(own).toHaveURL(/\/login/)
  await page.keyboard.press('Escape')

  await page.getByTestId(`edit-${user}`).click()
  await page.getByTestId('account-disabled').check()
  await page.getByTestId('account-save').click()
  await expect(page.getByTestId(`account-${user}`)).toContainText('已停用')
  await enter('a long password')
  await expect(own.getByTestId('login-failed')).toBeVisible()
})

test('the quarantine shows what could not be stored, as text and as bytes', async ({ as, demo, sensor }) => {
  const device = await sensor('370683')
  await publish(demo, device, '{"v": 水位')
  const { page } = await as('steward')
  await page.goto('/admin/quarantine')
  const row = page.locator('tr', { hasText: device.id })
  await expect(async () => {
    await page.getByTestId('quarantine-refresh').click()
    await expect(row.first()).toBeVisible({ timeout: 20_000 })
  }).toPass()
  await expect(row.first()).toContainText('JSON')
  await row.first().getByRole('button').click()
  await expect(page.getByTestId('payload-body')).toContainText('{"v": 水位')
  await page.getByTestId('payload-hex').click()
  await expect(page.getByTestId('payload-body')).toContainText('7b 22 76 22')
})
