// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Account, Division } from '@/shared/api/types'
import { limits } from '@/shared/api/limits.gen'
import { useSession } from '@/shared/session/session'
import { aMe, at as time, text } from '@/shared/testing/fixtures'
import { at, choose, labelOf, mount, newStores, offered, press, seeFaults, submit, type, unmount } from '@/shared/testing/dom'
import { aServer, refusal } from '@/shared/testing/server'
import AccountForm from './AccountForm.vue'

const division = (code: string, over: Partial<Division> = {}) => ({ code, name: text(code), ...over }) as Division
const account: Account = {
  user: 'r1', name: '甲', role: 'observer', division: '370602', disabled: false, version: 4, created_at: time(0), last_login_at: null, last_login_from: '',
} as Account
const divisions = [division('370602'), division('370611'), division('370699', { valid_to: '2020-01-01' })]

beforeEach(() => {
  newStores()
  useSession().me = aMe()
})
afterEach(unmount)

test('a new account: the limits of the schema, then exactly the body', async () => {
  const calls = aServer({ 'POST /api/v1/accounts': account })
  const saved = vi.fn()
  await mount(AccountForm, { account: null, divisions, onSaved: saved })
  expect([labelOf('account-user'), labelOf('account-role')]).toEqual(['用户名', '角色'])
  expect(at('account-name').maxLength).toBe(limits.NewAccount.name.maxLength)
  expect(offered('account-role')).toEqual(['city_commander', 'county_responder', 'data_steward', 'observer', 'administrator'])
  expect(offered('account-division')).toEqual(['3706', '370602', '370611'])
  await type('account-password', 'short')
  await submit('account-form')
  await seeFaults({ user: '必填', name: '必填', division: '必填', password: '至少 10 个字符' })
  expect(at('account-user').getAttribute('aria-invalid')).toBe('true')
  expect(document.activeElement).toBe(at('account-user'))
  expect(calls).toEqual([])

  await type('account-user', ' r1 ')
  await type('account-name', ' 甲 ')
  await choose('account-role', 'observer')
  await choose('account-division', '370602')
  await type('account-password', 'long enough')
  await seeFaults({})
  await submit('account-form')
  await vi.waitFor(() => expect(saved).toHaveBeenCalledWith(account, true))
  expect(calls.map((c) => c.body)).toEqual([{ user: 'r1', name: '甲', role: 'observer', division: '370602', password: 'long enough' }])
})

test('what the server refuses stands at its field; what has none, above the buttons', async () => {
  let answer = refusal(422, { errors: [{ field: 'user', code: 'user-taken' }, { field: 'division', code: 'required' }] })
  aServer({ 'PATCH /api/v1/accounts/r1': () => answer })
  await mount(AccountForm, { account, divisions })
  await type('account-name', '乙')
  await submit('account-form')
  await seeFaults({ division: '必填' })
  expect(at('form-problem').textContent).not.toBe('')
  answer = refusal(412)
  await submit('account-form')
  await seeFaults({})
  await vi.waitFor(() => expect(at('form-reload')).toBeTruthy())
})

test('only what was changed is sent', async () => {
  const calls = aServer({ 'PATCH /api/v1/accounts/r1': account })
  await mount(AccountForm, { account, divisions })
  await press('account-disabled')
  await submit('account-form')
  await vi.waitFor(() => expect(calls.map((c) => [c.body, c.headers['If-Match']])).toEqual([[{ disabled: true }, '"4"']]))
})
