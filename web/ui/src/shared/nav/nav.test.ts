import { expect, test } from 'vitest'
import type { RouteRecordRaw } from 'vue-router'
import type { Me } from '@/shared/api/types'
import { menuOf, refusalOf, workspacesOf } from './nav'

const city = { code: '3706' } as Me['city']
const of = (division: string, ...permissions: Me['permissions']) => ({ division, city, permissions })
const commander = of('3706', 'view', 'edit-data')
const responder = of('370602', 'view')

const component = {}
const routes: RouteRecordRaw[] = [
  {
    path: '/',
    component,
    children: [
      { path: '/', component, meta: { key: 'nav.command', needs: 'view', workspace: 'map' } },
      { path: '/layers', component, meta: { key: 'nav.layers', needs: 'edit-data', cityWide: true, menu: true } },
      { path: '/alerts', component, meta: { key: 'nav.alerts', needs: 'view', menu: true } },
      { path: '/incidents', component, meta: { key: 'nav.mobile', needs: 'edit-data', workspace: 'command' } },
    ],
  },
  { path: '/login', component, meta: { key: 'nav.login', open: true } },
]

test('a page is refused to who lacks its permission, and then to who is of a part of the city', () => {
  const meta = { needs: 'edit-data', cityWide: true } as const
  expect(refusalOf(meta, commander)).toBeNull()
  expect(refusalOf(meta, responder)).toBe('permission')
  expect(refusalOf(meta, of('370602', 'edit-data'))).toBe('division')
  expect(refusalOf({}, responder)).toBeNull()
})

test('the menus offer the pages that the account may use, in the order of the routes', () => {
  expect(menuOf(routes, commander).map((l) => l.to)).toEqual(['/layers', '/alerts'])
  expect(menuOf(routes, responder).map((l) => l.to)).toEqual(['/alerts'])
  expect(menuOf(routes, of('370602', 'view', 'edit-data')).map((l) => l.to)).toEqual(['/layers', '/alerts'])
  expect(menuOf(routes, null)).toEqual([])
})

test('a workspace is offered once it has a first page, to who may use that', () => {
  expect(workspacesOf(routes, commander).map((w) => w.name)).toEqual(['map', 'command'])
  expect(workspacesOf(routes, responder).map((w) => w.name)).toEqual(['map'])
  expect(workspacesOf(routes, null)).toEqual([])
})
