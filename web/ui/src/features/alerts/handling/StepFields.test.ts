// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { limits } from '@/shared/api/limits.gen'
import { anAlert } from '@/shared/testing/fixtures'
import { at, choose, labelOf, mount, newStores, offered, type, submit, unmount } from '@/shared/testing/dom'
import { aServer } from '@/shared/testing/server'
import StepFields from './StepFields.vue'

beforeEach(() => {
  newStores()
  sessionStorage.clear()
})
afterEach(unmount)
const state = { busy: false, possible: true, known: true }

test('an alert is assigned to somebody whom the server offers, those on line first', async () => {
  aServer({ 'GET /api/v1/assignees': { items: [{ user: 'a', name: '甲', online: false }, { user: 'b', name: '乙', online: true }] } })
  const send = vi.fn()
  await mount(StepFields, { alert: anAlert(1), action: 'assign', ...state, onSend: send })
  await vi.waitFor(() => expect(offered('alert-assignee')).toEqual(['b', 'a']))
  expect(labelOf('alert-assignee')).toBe('交给谁')
  expect(at<HTMLButtonElement>('alert-send').disabled).toBe(true)
  await choose('alert-assignee', 'a')
  expect(at<HTMLButtonElement>('alert-send').disabled).toBe(false)
  await submit('alert-form')
  expect(send).toHaveBeenCalledWith({ assignee: 'a' })
})

test('what still rises needs a reason, which is sent with the confirmation', async () => {
  aServer({})
  const send = vi.fn()
  await mount(StepFields, { alert: anAlert(1), action: 'close', ...state, onSend: send })
  expect([labelOf('alert-note'), at('alert-note').maxLength]).toEqual(['说明', limits.AlertStep.note.maxLength])
  expect(document.activeElement).toBe(at('alert-note'))
  await type('alert-note', '   ')
  await submit('alert-form')
  expect(send).not.toHaveBeenCalled()
  await type('alert-note', ' 闸门已关 ')
  await submit('alert-form')
  expect(send).toHaveBeenCalledWith({ note: '闸门已关', confirm: true })
})
