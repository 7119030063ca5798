// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { limits } from '@/shared/api/limits.gen'
import { aMe } from '@/shared/testing/fixtures'
import { at, labelOf, mount, newStores, press, seeFaults, submit, type, unmount } from '@/shared/testing/dom'
import { aServer, refusal } from '@/shared/testing/server'
import PasswordForm from './PasswordForm.vue'
import { useSession } from './session'

beforeEach(() => {
  newStores()
  useSession().me = aMe()
})
afterEach(unmount)

test('what is wrong stands at its field, by the form and by the server; then exactly the body', async () => {
  let answer: unknown = refusal(422, { errors: [{ field: 'current_password', code: 'malformed' }] })
  const calls = aServer({ 'POST /api/v1/me/password': () => answer })
  await mount(PasswordForm, {})
  expect([labelOf('password-current'), at('password-new').maxLength]).toEqual(['当前密码', limits.PasswordChange.new_password.maxLength])
  await submit('password-form')
  await seeFaults({ current: '必填', next: '必填' })
  await type('password-current', 'old')
  await type('password-new', 'new password')
  await type('password-repeat', 'other')
  await seeFaults({ repeat: '与上面输入的不一致' })
  await type('password-repeat', 'new password')
  expect(calls).toEqual([])
  await submit('password-form')
  await seeFaults({ current: '格式不符合要求' })
  await vi.waitFor(() => expect(document.activeElement).toBe(at('password-current')))
  await press('password-show')
  expect(at('password-current').type).toBe('text')
  answer = null
  await submit('password-form')
  await vi.waitFor(() => expect(at('password-done')).toBeTruthy())
  expect(calls.at(-1)!.body).toEqual({ current_password: 'old', new_password: 'new password' })
})

test('who guesses waits, and the form says how long', async () => {
  aServer({ 'POST /api/v1/me/password': refusal(429, {}, { 'Retry-After': '30' }) })
  await mount(PasswordForm, {})
  for (const id of ['current', 'new', 'repeat']) await type(`password-${id}`, 'some password')
  await submit('password-form')
  await vi.waitFor(() => expect(at('form-problem').textContent).toContain('30'))
  expect(at<HTMLButtonElement>('password-save').disabled).toBe(true)
})
