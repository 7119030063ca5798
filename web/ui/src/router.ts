import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import type { Permission } from './api/types'
import type { MessageKey } from './i18n'
import { base } from './lib/base'
import { usePrefs } from './stores/prefs'
import { useSession } from './stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** The page's title in the tab. */
    key: MessageKey
    /** Open to whoever is not logged in. */
    open?: boolean
    needs?: Permission
    /** The menus of all pages offer it to whoever has the right that it needs. */
    menu?: true
  }
}

const routes: RouteRecordRaw[] = [
  { path: '/', name: 'command', component: () => import('./views/CommandView.vue'), meta: { key: 'nav.command', needs: 'view' } },
  { path: '/login', name: 'login', component: () => import('./views/LoginView.vue'), meta: { key: 'nav.login', open: true } },
  { path: '/m', name: 'mobile', component: () => import('./views/MobileView.vue'), meta: { key: 'nav.mobile', needs: 'view' } },
  { path: '/admin/accounts', name: 'accounts', component: () => import('./views/admin/AccountsView.vue'), meta: { key: 'nav.accounts', needs: 'accounts', menu: true } },
  { path: '/admin/failed-logins', name: 'failed-logins', component: () => import('./views/admin/FailedLoginsView.vue'), meta: { key: 'nav.failedLogins', needs: 'accounts', menu: true } },
  { path: '/admin/displays', name: 'displays', component: () => import('./views/admin/DisplaysView.vue'), meta: { key: 'nav.displays', needs: 'accounts', menu: true } },
  { path: '/display', name: 'display', component: () => import('./views/DisplayView.vue'), meta: { key: 'nav.display', open: true } },
  { path: '/admin/rules', name: 'rules', component: () => import('./views/admin/RulesView.vue'), meta: { key: 'nav.rules', needs: 'view', menu: true } },
  { path: '/admin/quarantine', name: 'quarantine', component: () => import('./views/admin/QuarantineView.vue'), meta: { key: 'nav.quarantine', needs: 'edit-data', menu: true } },
  { path: '/admin/ingest', name: 'ingest', component: () => import('./views/admin/IngestView.vue'), meta: { key: 'nav.ingest', needs: 'edit-data', menu: true } },
  { path: '/events', name: 'presence', component: () => import('./views/admin/PresenceView.vue'), meta: { key: 'nav.presence', needs: 'view', menu: true } },
  { path: '/alerts', name: 'alerts', component: () => import('./views/AlertsView.vue'), meta: { key: 'nav.alerts', needs: 'view', menu: true } },
  { path: '/silences', name: 'silences', component: () => import('./views/SilencesView.vue'), meta: { key: 'nav.silences', needs: 'view', menu: true } },
  { path: '/admin/layers', name: 'layers', component: () => import('./views/admin/LayersView.vue'), meta: { key: 'nav.layers', needs: 'edit-data', menu: true } },
  { path: '/about', name: 'about', component: () => import('./views/AboutView.vue'), meta: { key: 'nav.about', needs: 'view', menu: true } },
  { path: '/:rest(.*)*', name: 'nowhere', component: () => import('./views/NowhereView.vue'), meta: { key: 'nav.nowhere', open: true } },
]

export const router = createRouter({ history: createWebHistory(base), routes })

/** The pages that the menus offer, in their order. */
export const menuPages = routes.flatMap((r) => (r.meta?.menu ? [{ to: r.path, key: r.meta.key, needs: r.meta.needs ?? ('view' as const) }] : []))

router.beforeEach(async (to) => {
  if (to.meta.open) return true
  const session = useSession()
  try {
    await session.load()
  } catch {
    await session.restore()
    return true // the page itself says that the server is away, and retries
  }
  return session.me ? true : { name: 'login', query: { next: to.fullPath } }
})

// A link's language and theme hold for the page that it opens.
router.afterEach((to, _from, failure) => {
  if (!failure) usePrefs().takeLink(to.query)
})
