package sync

import (
	"cmp"
	"strings"
	"unicode"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// specialNames are the names that mail programs and webmailers give the folders that RFC 6154 has attributes for, in
// the languages they speak: what a server without the attributes is left with. A name stands for one use only.
// \All, \Flagged and \Important are views of other folders on most servers, and have their attributes alone.
func specialNames() map[imap.MailboxAttr]string {
	return map[imap.MailboxAttr]string{
		imap.MailboxAttrSent: `
			Sent|Sent Items|Sent Messages|Sent Mail|Sent-Mail|Sent objects|SentMail
			Gesendet|Gesendete|Gesendete Elemente|Gesendete Objekte|Gesendete Nachrichten|Gesendete E-Mails|Gesendete Mails|Versendet
			Envoyés|Envoyé|Messages envoyés|Éléments envoyés|Objets envoyés|Courrier envoyé|Courriers envoyés
			Enviados|Elementos enviados|Mensajes enviados|Correo enviado|Correos enviados|Objetos enviados
			Inviati|Inviata|Posta inviata|Messaggi inviati|Elementi inviati|Oggetti inviati
			Verzonden|Verzonden items|Verzonden berichten|Verzonden objecten|Verstuurd
			Enviadas|Itens enviados|Mensagens enviadas|E-mails enviados|Correio enviado
			Wysłane|Elementy wysłane|Wysłane elementy|Wiadomości wysłane|Wysłane wiadomości
			Skickat|Skickade|Skickade objekt|Skickade meddelanden|Skickad e-post
			Sendt|Sendte|Sendt post|Sendte elementer|Sendte beskeder|Sendte meldinger|Sendt e-post|Sendte objekter
			Lähetetyt|Lähetetyt viestit|Lähetetyt kohteet|Lähetetty
			Odeslané|Odeslaná pošta|Odeslané zprávy|Odeslané položky
			Отправленные|Отправленные сообщения|Отправленные письма|Отправлено
			Gönderilmiş|Gönderilmiş Öğeler|Gönderilmiş Postalar|Gönderilmiş İletiler|Gönderilenler|Gönderilen|Gönderilen Öğeler
			送信済み|送信済みアイテム|送信済みメール|送信済みメッセージ|送信済みトレイ|送信済みオブジェクト
			已发送|已发送邮件|已发送项目|已发送消息|已发邮件|寄件備份|已傳送|已傳送郵件|已寄出|已傳送的郵件`,
		imap.MailboxAttrDrafts: `
			Drafts|Draft|Draft Messages
			Entwürfe|Nachrichtenentwürfe
			Brouillons|Brouillon
			Borradores|Borrador
			Bozze|Bozza
			Concepten
			Rascunhos|Rascunho
			Szkice|Robocze|Kopie robocze|Wersje robocze
			Utkast
			Kladder|Udkast
			Luonnokset
			Koncepty|Rozepsané|Rozepsané zprávy
			Черновики
			Taslaklar|Taslak
			下書き|草稿
			草稿箱|草稿夹|草稿匣`,
		imap.MailboxAttrJunk: `
			Junk|Spam|Junk E-mail|Junk Email|Junk Mail|Junk-E-Mail|Bulk Mail
			Spamverdacht|Unerwünscht|Unerwünschte Werbung|Unerwünschte E-Mails
			Indésirables|Courrier indésirable|Pourriel|Pourriels
			Correo no deseado|Correo basura|Basura electrónica|No deseado
			Posta indesiderata|Indesiderata
			Ongewenste e-mail|Ongewenst|Ongewenste reclame
			Lixo eletrônico|Lixo eletrónico|Correio eletrónico não solicitado|Correio de lixo
			Wiadomości-śmieci|Niechciane|Wiadomości śmieci
			Skräppost
			Uønsket|Uønsket e-mail|Uønsket mail|Uønsket e-post|Søppelpost|Søppel-e-post
			Roskaposti
			Nevyžádaná|Nevyžádaná pošta
			Спам|Нежелательная почта
			Önemsiz|Önemsiz E-posta|Gereksiz|İstenmeyen|İstenmeyen E-posta
			迷惑メール|スパム
			垃圾邮件|垃圾郵件|垃圾信件`,
		imap.MailboxAttrTrash: `
			Trash|Deleted Items|Deleted Messages|Deleted|Bin
			Papierkorb|Gelöscht|Gelöschte|Gelöschte Elemente|Gelöschte Objekte|Gelöschte Nachrichten|Gelöschte E-Mails
			Corbeille|Messages supprimés|Éléments supprimés|Objets supprimés
			Papelera|Papelera de reciclaje|Elementos eliminados|Mensajes eliminados|Eliminados
			Cestino|Posta eliminata|Messaggi eliminati|Elementi eliminati
			Prullenbak|Prullenmand|Verwijderde items|Verwijderde berichten|Verwijderd
			Lixo|Lixeira|Itens excluídos|Itens eliminados|Mensagens excluídas|Mensagens eliminadas
			Kosz|Elementy usunięte|Usunięte|Usunięte elementy
			Papperskorgen|Papperskorg|Borttaget|Borttagna objekt|Raderade
			Papirkurv|Slettet post|Slettede elementer|Slettet|Papirkurven
			Roskakori|Poistetut|Poistetut viestit|Poistetut kohteet
			Koš|Odstraněná pošta|Odstraněné|Smazané|Odstraněné položky
			Корзина|Удаленные|Удалённые|Удаленные сообщения
			Çöp|Çöp Kutusu|Silinmiş|Silinmiş Öğeler|Silinen Öğeler
			ゴミ箱|ごみ箱|削除済みアイテム|削除済みメール
			废件箱|已删除|已删除邮件|已删除项目|垃圾桶|刪除的郵件|已刪除的郵件|刪除郵件`,
		imap.MailboxAttrArchive: `
			Archive|Archives|Archived
			Archiv
			Archivage
			Archivo|Archivados|Archivado
			Archivio|Archiviati
			Archief
			Arquivo|Arquivos|Arquivadas
			Archiwum|Archiwa
			Arkiv|Arkiverat
			Arkisto|Arkistoidut
			Archivované
			Архив|Архивы
			Arşiv|Arşivler
			アーカイブ
			存档|归档|封存|封存檔`,
	}
}

// specialTable gives the use of a folded name.
func specialTable() map[string]imap.MailboxAttr {
	out := make(map[string]imap.MailboxAttr)
	for use, text := range specialNames() {
		for line := range strings.Lines(text) {
			for name := range strings.SplitSeq(strings.TrimSpace(line), "|") {
				if name != "" {
					out[foldName(name)] = use
				}
			}
		}
	}
	return out
}

// specialName is the use that a folder's name stands for, "" for none. path is the folder's below the personal
// namespace: only what lies at the top, or directly in INBOX, is meant.
func (m *mapper) specialName(path []string) imap.MailboxAttr {
	if len(path) == 2 && path[0] == "INBOX" {
		path = path[1:]
	}
	if len(path) != 1 {
		return ""
	}
	return m.special[foldName(path[0])]
}

// foldName makes names comparable as people read them: without regard to case, to blanks at the ends, and to whether
// an accent is a character of its own (Apple writes it so).
func foldName(s string) string {
	s = strings.ToLower(strings.ToUpper(composed(strings.TrimSpace(s))))
	return strings.ReplaceAll(s, "i̇", "i") // what a Turkish capital becomes
}

// composed joins a letter with the accent that follows it, for the letters of the table above.
func composed(s string) string {
	marks := false
	for _, r := range s {
		marks = marks || unicode.Is(unicode.Mn, r)
	}
	if !marks {
		return s
	}
	const (
		grave, acute, circumflex, tilde, diaeresis, ring, cedilla, caron, ogonek, breve, dot = "\u0300", "\u0301", "\u0302", "\u0303",
			"\u0308", "\u030a", "\u0327", "\u030c", "\u0328", "\u0306", "\u0307"
	)
	var pairs []string
	for _, row := range []struct{ mark, bare, joined string }{
		{grave, "aeiouAEIOU", "àèìòùÀÈÌÒÙ"}, {acute, "aeiouysnczAEIOUYSNCZ", "áéíóúýśńćźÁÉÍÓÚÝŚŃĆŹ"},
		{circumflex, "aeiouAEIOU", "âêîôûÂÊÎÔÛ"}, {tilde, "anoANO", "ãñõÃÑÕ"}, {diaeresis, "aeiouAEIOUеЕ", "äëïöüÄËÏÖÜёЁ"},
		{ring, "auAU", "åůÅŮ"}, {cedilla, "csCS", "çşÇŞ"}, {caron, "czsreCZSRE", "čžšřěČŽŠŘĚ"}, {ogonek, "aeAE", "ąęĄĘ"},
		{breve, "gGиИ", "ğĞйЙ"}, {dot, "zIZ", "żİŻ"},
	} {
		joined := []rune(row.joined)
		for i, bare := range []rune(row.bare) {
			pairs = append(pairs, string(bare)+row.mark, string(joined[i]))
		}
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// candidate is a source folder that could go into a special folder of the target.
type candidate struct {
	entry *entry
	use   imap.MailboxAttr
	named bool // by its name; else by its attribute
}

// better orders candidates of one use: the attribute first, then the most mail, then the name.
func (c candidate) better(d candidate) bool {
	switch x, y := messages(c.entry.folder), messages(d.entry.folder); {
	case c.named != d.named:
		return d.named
	case x != y:
		return x > y
	}
	return c.entry.folder.Raw < d.entry.folder.Raw
}

// useOf is what a source folder is special for, "" for nothing.
func (m *mapper) useOf(e *entry) (use imap.MailboxAttr, named bool) {
	if foreign(m.source, e.folder.Raw) || len(e.path) == 1 && e.path[0] == "INBOX" {
		return "", false
	}
	if isArchive(m.source, e.folder) {
		return m.archiveUse(), false
	}
	if e.folder.SpecialUse != "" {
		return e.folder.SpecialUse, false
	}
	return m.specialName(e.path), true
}

// targetSpecial is the target's own folder of a use, for the first of the candidates: by its attribute, else by its
// name. Of several names that of the source's folder comes first, that of another candidate, which may want it, last;
// else the one with the most mail.
func (m *mapper) targetSpecial(use imap.MailboxAttr, list []candidate) (best *imapx.Folder, named bool) {
	names := make(map[string]int)
	for i, c := range list {
		names[lastOf(c.entry.path)] = -1
		if i == 0 {
			names[lastOf(c.entry.path)] = 1
		}
	}
	rank := func(f *imapx.Folder) int {
		own := ownPath(f, m.to)
		switch {
		case f.SpecialUse == use:
			return 3
		case pathKey(own) == pathKey(list[0].entry.path): // there may be another one in other capitals
			return 2
		}
		return names[lastOf(own)]
	}
	for i := range m.target.Folders {
		f := &m.target.Folders[i]
		if !f.Selectable || isInbox(f) || foreign(m.target, f.Raw) {
			continue
		}
		if f.SpecialUse != use && (f.SpecialUse != "" || m.specialName(ownPath(f, m.to)) != use) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(rank(best), rank(f)), cmp.Compare(messages(best), messages(f)), cmp.Compare(f.Raw, best.Raw)) < 0 {
			best = f
		}
	}
	return best, best != nil && best.SpecialUse != use
}

func lastOf(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return foldName(path[len(path)-1])
}
