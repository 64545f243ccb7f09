package provider

import (
	"slices"
	"strings"
)

// exchangeFolders: Exchange lists what Outlook keeps beside mail. Their content over IMAP is a rendering that no other
// program takes for what it is.
func exchangeFolders() []Skip {
	skip := func(why string, names map[string][]string) Skip { return Skip{Why: why, Names: names} }
	return []Skip{
		skip("Exchange keeps the calendar there, not mail", map[string][]string{"en": {"Calendar"}, "de": {"Kalender"}, "fr": {"Calendrier"},
			"es": {"Calendario"}, "it": {"Calendario"}, "nl": {"Agenda"}, "pt": {"Calendário"}, "pl": {"Kalendarz"}, "sv": {"Kalender"}, "da": {"Kalender"}}),
		skip("Exchange keeps contacts there, not mail", map[string][]string{"en": {"Contacts", "Suggested Contacts"}, "de": {"Kontakte", "Vorgeschlagene Kontakte"},
			"fr": {"Contacts", "Contacts suggérés"}, "es": {"Contactos"}, "it": {"Contatti"}, "nl": {"Contactpersonen"}, "pt": {"Contactos", "Contatos"},
			"pl": {"Kontakty"}, "sv": {"Kontakter"}, "da": {"Kontakter", "Kontaktpersoner"}}),
		skip("Exchange keeps tasks there, not mail", map[string][]string{"en": {"Tasks"}, "de": {"Aufgaben"}, "fr": {"Tâches"}, "es": {"Tareas"},
			"it": {"Attività"}, "nl": {"Taken"}, "pt": {"Tarefas"}, "pl": {"Zadania"}, "sv": {"Uppgifter"}, "da": {"Opgaver"}}),
		skip("Exchange keeps the journal there, not mail", map[string][]string{"en": {"Journal"}, "de": {"Journal"}, "fr": {"Journal"}, "es": {"Diario"},
			"it": {"Diario"}, "nl": {"Logboek"}, "pt": {"Diário"}, "pl": {"Dziennik"}, "sv": {"Journal"}, "da": {"Journal"}}),
		skip("Exchange keeps notes there, not mail", map[string][]string{"en": {"Notes"}, "de": {"Notizen"}, "fr": {"Notes"}, "es": {"Notas"},
			"it": {"Note"}, "nl": {"Notities"}, "pt": {"Notas"}, "pl": {"Notatki"}, "sv": {"Anteckningar"}, "da": {"Noter"}}),
		skip("Outlook keeps reports of its own synchronisation there", map[string][]string{"en": {"Sync Issues"}, "de": {"Synchronisierungsprobleme"},
			"fr": {"Problèmes de synchronisation"}, "es": {"Problemas de sincronización"}, "it": {"Problemi di sincronizzazione"},
			"nl": {"Synchronisatieproblemen"}, "pt": {"Problemas de sincronização", "Problemas de Sincronização"}, "pl": {"Problemy z synchronizacją"},
			"sv": {"Synkroniseringsproblem"}, "da": {"Synkroniseringsproblemer"}}),
		skip("what waits to be sent by Outlook is there", map[string][]string{"en": {"Outbox"}, "de": {"Postausgang"}, "fr": {"Boîte d'envoi"},
			"es": {"Bandeja de salida"}, "it": {"Posta in uscita"}, "nl": {"Postvak UIT"}, "pt": {"Caixa de Saída", "A Enviar"},
			"pl": {"Skrzynka nadawcza"}, "sv": {"Utkorgen"}, "da": {"Udbakke"}}),
		skip("Skype and Teams keep conversations there, not mail", map[string][]string{"en": {"Conversation History"}, "de": {"Verlauf der Unterhaltung", "Aufgezeichnete Unterhaltungen"},
			"fr": {"Historique des conversations"}, "es": {"Historial de conversaciones"}, "it": {"Cronologia conversazioni"},
			"nl": {"Gespreksgeschiedenis"}, "pt": {"Histórico de Conversas"}, "pl": {"Historia konwersacji"}, "sv": {"Konversationshistorik"}, "da": {"Samtalehistorik"}}),
		skip("a Microsoft 365 group's files are there, and Exchange keeps the name for itself", map[string][]string{"en": {"Files"}, "de": {"Dateien"}}),
	}
}

// Left says why a folder is no mail, "" for one that is. top are the first levels of all folders of the mailbox: it speaks
// one language, that of which it has the most of these names. So a German mailbox's own "Notes" is mail, beside "Notizen".
func (r Row) Left(top []string, path []string) string {
	if len(path) > 1 && strings.EqualFold(path[0], "INBOX") {
		path = path[1:]
	}
	if len(path) == 0 || len(r.Skips) == 0 {
		return ""
	}
	language := r.language(top)
	for _, s := range r.Skips {
		if named(s.Names[language], path[0]) {
			return s.Why
		}
	}
	return ""
}

func named(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// language is the one with the most names among the folders; of several English comes first, then the alphabet decides.
func (r Row) language(top []string) string {
	hits := make(map[string]int)
	for _, s := range r.Skips {
		for language, names := range s.Names {
			for _, name := range top {
				if named(names, name) {
					hits[language]++
				}
			}
		}
	}
	best, most := "en", hits["en"]
	languages := make([]string, 0, len(hits))
	for l := range hits {
		languages = append(languages, l)
	}
	slices.Sort(languages)
	for _, l := range languages {
		if hits[l] > most {
			best, most = l, hits[l]
		}
	}
	return best
}
