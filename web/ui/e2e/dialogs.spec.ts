// The dialogs of forms: the focus is in the first field, nothing lies over them, and a refusal stands at its field.

import { expect, phone, pick, test } from './fixtures'

const forms = [
  { name: 'a new account', user: 'admin', path: '/admin/accounts', open: ['account-add'], first: 'account-user' },
  { name: 'a changed account', user: 'admin', path: '/admin/accounts', open: ['edit-r370602'], first: 'account-name' },
  { name: 'a new display', user: 'admin', path: '/admin/displays', open: ['display-add'], first: 'display-name' },
  { name: 'a new rule', user: 'steward', path: '/admin/rules', open: ['rule-add'], first: 'rule-name-zh' },
  { name: 'the rules of a layer', user: 'steward', path: '/admin/layers', open: ['layer-details-hospital', 'edit-rules'], first: 'rule-min-zoom' },
  { name: 'a silence', user: 'commander', path: '/silences', open: ['silence-add'], first: 'silence-kind' },
  { name: 'the own password', user: 'observer', path: '/about', open: ['menu-password'], first: 'password-current' },
  { name: 'the link of the page', user: 'observer', path: '/', open: ['user-menu', 'menu-share'], first: 'share-link' },
]

test('each form opens with the focus in its first field', async ({ as }) => {
  for (const { name, user, path, open, first } of forms) {
    await test.step(name, async () => {
      const { page } = await as(user)
      await page.goto(path)
      for (const button of open) await page.getByTestId(button).first().click()
      await expect(page.getByTestId(first)).toBeFocused()
      await page.close()
    })
  }
})

test('on a phone a dialog and a drawer begin below the alarm bar and end on the screen', async ({ as }) => {
  const { page } = await as('steward', { context: phone })
  const within = async (box: string) => {
    const bar = (await page.locator('.shell-top').boundingBox())!
    await expect(async () => {
      const { y, height } = (await page.locator(box).boundingBox())!
      expect(y).toBeGreaterThanOrEqual(bar.y + bar.height - 0.5)
      expect(y + height).toBeLessThanOrEqual(phone.viewport!.height + 0.5)
    }).toPass()
  }
  await page.goto('/admin/rules')
  await page.getByTestId('rule-add').click()
  await within('.el-dialog.is-fullscreen')
  await page.locator('.el-dialog__headerbtn').click() // it is not covered
  await expect(page.getByTestId('rule-form')).toHaveCount(0)
  await page.goto('/admin/layers')
  await page.getByTestId('layer-details-hospital').click()
  await within('.el-drawer')
})

test('on a large screen a dialog and a drawer grow as the page does', async ({ as }) => {
  const { page } = await as('steward', { context: { viewport: { width: 3840, height: 2160 } } })
  const width = async (locator: string) => (await page.locator(locator).boundingBox())!.width
  await page.goto('/admin/rules')
  await page.getByTestId('rule-add').click()
  await expect(page.getByTestId('rule-name-zh')).toBeFocused()
  await expect.poll(() => width('.el-dialog')).toBe(2 * 620)
  await page.goto('/admin/layers')
  await page.getByTestId('layer-details-hospital').click()
  await expect(page.getByTestId('layer-drawer')).toBeInViewport()
  await expect.poll(async () => {
    const box = (await page.locator('.el-drawer').boundingBox())!
    return box.width > 700 && Math.round(box.x + box.width) === 3840 && Math.round(box.y + box.height) === 2160
  }).toBe(true)
})

test('what is refused stands at its field alone, in the reader’s language', async ({ as }) => {
  const { page } = await as('admin')
  await page.goto('/admin/accounts')
  await page.getByTestId('account-add').click()
  const form = page.getByTestId('account-form')
  await form.getByTestId('account-user').fill('commander')
  await form.getByTestId('account-name').fill('重名')
  await pick(form.getByTestId('account-division'), '370602')
  await form.getByTestId('account-password').fill('a password of some length')
  await form.getByTestId('account-save').click()
  await expect(form.locator('.fault')).toHaveText(['此用户名已被使用'])
  await expect(form.getByTestId('account-user')).toHaveAttribute('aria-invalid', 'true')
  await expect(form.getByTestId('form-problem')).toHaveCount(0)

  const { page: commander } = await as('commander')
  await commander.goto('/silences')
  await commander.getByTestId('silence-add').click()
  await commander.getByTestId('silence-device').fill('no-such-device')
  await commander.getByTestId('silence-reason').fill('检修')
  await commander.getByTestId('silence-save').click()
  const silence = commander.getByTestId('silence-form')
  await expect(silence.locator('.fault')).toHaveText(['没有设备"no-such-device"，或不在您的辖区内'])
  await expect(silence.getByTestId('form-problem')).toHaveCount(0)
})

test('Escape closes the list of a select, and then the dialog', async ({ as }) => {
  const { page } = await as('commander')
  await page.goto('/silences')
  await page.getByTestId('silence-add').click()
  const kind = page.getByTestId('silence-kind')
  await expect(kind).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(kind).toHaveAttribute('aria-expanded', 'true')
  await page.keyboard.press('Escape')
  await expect(kind).toHaveAttribute('aria-expanded', 'false')
  await expect(page.getByTestId('silence-form')).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByTestId('silence-form')).toHaveCount(0)
})

test('on a phone a card stands instead of the panels', async ({ as, steward }) => {
  const { features } = (await (await steward.get('/api/v1/layers/hospital/features', { params: { limit: 1 } })).json()) as { features: { id: number }[] }
  const { page } = await as('commander', { context: phone })
  await page.goto(`/?card=hospital:${features[0]!.id}`)
  await expect(page.getByTestId('feature-card')).toBeVisible()
  await expect(page.locator('.stage > .alerts')).toBeHidden()
  await page.getByTestId('feature-history-open').click()
  await expect(page.getByTestId('feature-history').locator('li').first()).toBeInViewport()
  await page.getByTestId('card-close').click()
  await expect(page.locator('.stage > .alerts')).toBeVisible()
})
