// Which pages there are for whom. A route says what its page needs in meta.needs and meta.cityWide, and nothing else says it.

import { computed } from 'vue'
import { useRouter, type RouteMeta, type RouteRecordRaw } from 'vue-router'
import type { Me, Permission } from '@/shared/api/types'
import type { MessageKey } from '@/shared/i18n'
import { useSession } from '@/shared/session/session'
import { homeFor } from './next'

declare module 'vue-router' {
  interface RouteMeta {
    /** The page's name in the tab and in the menus. */
    key: MessageKey
    /** The page's heading, where it is not its name. */
    heading?: MessageKey
    /** Open to whoever is not logged in. */
    open?: boolean
    /** The permission without which the page is not shown. */
    needs?: Permission
    /** Only for accounts of the whole city. */
    cityWide?: true
    /** The page brings its own header and takes the whole window. */
    full?: true
    /** The page takes the whole width. */
    wide?: true
    /** The menus of all pages offer it to whoever has the right that it needs. */
    menu?: true
    /** The page is the first one of a workspace. */
    workspace?: Workspace
  }
}

export type Workspace = 'map' | 'alerts' | 'command' | 'risk' | 'resources' | 'duty' | 'data' | 'system'

/** The workspaces in the order of the main navigation. It shows those that have a first page which the account may use. */
export const workspaces: readonly { name: Workspace; key: MessageKey }[] = [
  { name: 'map', key: 'workspace.map' },
  { name: 'alerts', key: 'workspace.alerts' },
  { name: 'command', key: 'workspace.command' },
  { name: 'risk', key: 'workspace.risk' },
  { name: 'resources', key: 'workspace.resources' },
  { name: 'duty', key: 'workspace.duty' },
  { name: 'data', key: 'workspace.data' },
  { name: 'system', key: 'workspace.system' },
]

type Account = Pick<Me, 'permissions' | 'division' | 'city'>
type Needs = Pick<RouteMeta, 'needs' | 'cityWide'>

/** Why an account may not use a page: it lacks the permission, or is of a part of the city. null: it may. */
export function refusalOf(meta: Needs, me: Account): 'permission' | 'division' | null {
  if (meta.needs && !me.permissions.includes(meta.needs)) return 'permission'
  return meta.cityWide && me.division !== me.city.code ? 'division' : null
}

/** All routes with those below them, in the order in which they are written. */
function flat(routes: readonly RouteRecordRaw[]): RouteRecordRaw[] {
  return routes.flatMap((route) => [route, ...flat(route.children ?? [])])
}

export interface NavLink {
  to: string
  key: MessageKey
}

/** The pages that the menus offer to an account. One that is only for the whole city is offered, and says so. */
export function menuOf(routes: readonly RouteRecordRaw[], me: Account | null): NavLink[] {
  return flat(routes).flatMap(({ path, meta }) => (me && meta?.menu && refusalOf(meta, me) !== 'permission' ? [{ to: path, key: meta.key }] : []))
}

/** The workspaces that the main navigation offers to an account. */
export function workspacesOf(routes: readonly RouteRecordRaw[], me: Account | null): (NavLink & { name: Workspace })[] {
  const all = flat(routes)
  return workspaces.flatMap(({ name, key }) => {
    const first = all.find((route) => route.meta?.workspace === name)
    return me && first?.meta && !refusalOf(first.meta, me) ? [{ name, key, to: first.path }] : []
  })
}

/** What the navigation offers to the account that is logged in. */
export function useNav() {
  const session = useSession()
  const { routes } = useRouter().options
  return {
    pages: computed(() => menuOf(routes, session.me)),
    workspaces: computed(() => workspacesOf(routes, session.me)),
    home: computed(() => (session.me ? homeFor(session.me.role, window.innerWidth) : '/')),
  }
}
