/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/pickle_names.h"

#include <string.h>

/* An empty name stands for the whole module. Both tables are sorted, as memcmp() sees it. */
struct row {
	const char *module;
	const char *name;
	const char *to_module;
	const char *to_name;
};

/* clang-format off */
static const struct row to_python3[] = {
	{"BaseHTTPServer", "", "http.server", ""},
	{"CGIHTTPServer", "", "http.server", ""},
	{"ConfigParser", "", "configparser", ""},
	{"Cookie", "", "http.cookies", ""},
	{"Dialog", "", "tkinter.dialog", ""},
	{"DocXMLRPCServer", "", "xmlrpc.server", ""},
	{"FileDialog", "", "tkinter.filedialog", ""},
	{"HTMLParser", "", "html.parser", ""},
	{"Queue", "", "queue", ""},
	{"ScrolledText", "", "tkinter.scrolledtext", ""},
	{"SimpleDialog", "", "tkinter.simpledialog", ""},
	{"SimpleHTTPServer", "", "http.server", ""},
	{"SimpleXMLRPCServer", "", "xmlrpc.server", ""},
	{"SocketServer", "", "socketserver", ""},
	{"StringIO", "", "io", ""},
	{"Tkconstants", "", "tkinter.constants", ""},
	{"Tkdnd", "", "tkinter.dnd", ""},
	{"Tkinter", "", "tkinter", ""},
	{"UserDict", "", "collections", ""},
	{"UserDict", "IterableUserDict", "collections", "UserDict"},
	{"UserDict", "UserDict", "collections", "UserDict"},
	{"UserList", "", "collections", ""},
	{"UserList", "UserList", "collections", "UserList"},
	{"UserString", "", "collections", ""},
	{"UserString", "UserString", "collections", "UserString"},
	{"__builtin__", "", "builtins", ""},
	{"__builtin__", "basestring", "builtins", "str"},
	{"__builtin__", "intern", "sys", "intern"},
	{"__builtin__", "long", "builtins", "int"},
	{"__builtin__", "reduce", "functools", "reduce"},
	{"__builtin__", "unichr", "builtins", "chr"},
	{"__builtin__", "unicode", "builtins", "str"},
	{"__builtin__", "xrange", "builtins", "range"},
	{"_abcoll", "", "collections.abc", ""},
	{"_elementtree", "", "xml.etree.ElementTree", ""},
	{"_multiprocessing", "Connection", "multiprocessing.connection", "Connection"},
	{"_socket", "fromfd", "socket", "fromfd"},
	{"_winreg", "", "winreg", ""},
	{"anydbm", "", "dbm", ""},
	{"cPickle", "", "pickle", ""},
	{"cStringIO", "", "io", ""},
	{"commands", "", "subprocess", ""},
	{"cookielib", "", "http.cookiejar", ""},
	{"copy_reg", "", "copyreg", ""},
	{"dbhash", "", "dbm.bsd", ""},
	{"dbm", "", "dbm.ndbm", ""},
	{"dumbdbm", "", "dbm.dumb", ""},
	{"dummy_thread", "", "_dummy_thread", ""},
	{"exceptions", "ArithmeticError", "builtins", "ArithmeticError"},
	{"exceptions", "AssertionError", "builtins", "AssertionError"},
	{"exceptions", "AttributeError", "builtins", "AttributeError"},
	{"exceptions", "BaseException", "builtins", "BaseException"},
	{"exceptions", "BufferError", "builtins", "BufferError"},
	{"exceptions", "BytesWarning", "builtins", "BytesWarning"},
	{"exceptions", "DeprecationWarning", "builtins", "DeprecationWarning"},
	{"exceptions", "EOFError", "builtins", "EOFError"},
	{"exceptions", "EnvironmentError", "builtins", "EnvironmentError"},
	{"exceptions", "Exception", "builtins", "Exception"},
	{"exceptions", "FloatingPointError", "builtins", "FloatingPointError"},
	{"exceptions", "FutureWarning", "builtins", "FutureWarning"},
	{"exceptions", "GeneratorExit", "builtins", "GeneratorExit"},
	{"exceptions", "IOError", "builtins", "IOError"},
	{"exceptions", "ImportError", "builtins", "ImportError"},
	{"exceptions", "ImportWarning", "builtins", "ImportWarning"},
	{"exceptions", "IndentationError", "builtins", "IndentationError"},
	{"exceptions", "IndexError", "builtins", "IndexError"},
	{"exceptions", "KeyError", "builtins", "KeyError"},
	{"exceptions", "KeyboardInterrupt", "builtins", "KeyboardInterrupt"},
	{"exceptions", "LookupError", "builtins", "LookupError"},
	{"exceptions", "MemoryError", "builtins", "MemoryError"},
	{"exceptions", "NameError", "builtins", "NameError"},
	{"exceptions", "NotImplementedError", "builtins", "NotImplementedError"},
	{"exceptions", "OSError", "builtins", "OSError"},
	{"exceptions", "OverflowError", "builtins", "OverflowError"},
	{"exceptions", "PendingDeprecationWarning", "builtins", "PendingDeprecationWarning"},
	{"exceptions", "ReferenceError", "builtins", "ReferenceError"},
	{"exceptions", "RuntimeError", "builtins", "RuntimeError"},
	{"exceptions", "RuntimeWarning", "builtins", "RuntimeWarning"},
	{"exceptions", "StandardError", "builtins", "Exception"},
	{"exceptions", "StopIteration", "builtins", "StopIteration"},
	{"exceptions", "SyntaxError", "builtins", "SyntaxError"},
	{"exceptions", "SyntaxWarning", "builtins", "SyntaxWarning"},
	{"exceptions", "SystemError", "builtins", "SystemError"},
	{"exceptions", "SystemExit", "builtins", "SystemExit"},
	{"exceptions", "TabError", "builtins", "TabError"},
	{"exceptions", "TypeError", "builtins", "TypeError"},
	{"exceptions", "UnboundLocalError", "builtins", "UnboundLocalError"},
	{"exceptions", "UnicodeDecodeError", "builtins", "UnicodeDecodeError"},
	{"exceptions", "UnicodeEncodeError", "builtins", "UnicodeEncodeError"},
	{"exceptions", "UnicodeError", "builtins", "UnicodeError"},
	{"exceptions", "UnicodeTranslateError", "builtins", "UnicodeTranslateError"},
	{"exceptions", "UnicodeWarning", "builtins", "UnicodeWarning"},
	{"exceptions", "UserWarning", "builtins", "UserWarning"},
	{"exceptions", "ValueError", "builtins", "ValueError"},
	{"exceptions", "Warning", "builtins", "Warning"},
	{"exceptions", "ZeroDivisionError", "builtins", "ZeroDivisionError"},
	{"gdbm", "", "dbm.gnu", ""},
	{"htmlentitydefs", "", "html.entities", ""},
	{"httplib", "", "http.client", ""},
	{"itertools", "ifilter", "builtins", "filter"},
	{"itertools", "ifilterfalse", "itertools", "filterfalse"},
	{"itertools", "imap", "builtins", "map"},
	{"itertools", "izip", "builtins", "zip"},
	{"itertools", "izip_longest", "itertools", "zip_longest"},
	{"markupbase", "", "_markupbase", ""},
	{"multiprocessing", "AuthenticationError", "multiprocessing.context", "AuthenticationError"},
	{"multiprocessing", "BufferTooShort", "multiprocessing.context", "BufferTooShort"},
	{"multiprocessing", "ProcessError", "multiprocessing.context", "ProcessError"},
	{"multiprocessing", "TimeoutError", "multiprocessing.context", "TimeoutError"},
	{"multiprocessing.forking", "Popen", "multiprocessing.popen_fork", "Popen"},
	{"multiprocessing.process", "Process", "multiprocessing.context", "Process"},
	{"repr", "", "reprlib", ""},
	{"robotparser", "", "urllib.robotparser", ""},
	{"socket", "_socketobject", "socket", "SocketType"},
	{"test.test_support", "", "test.support", ""},
	{"thread", "", "_thread", ""},
	{"tkColorChooser", "", "tkinter.colorchooser", ""},
	{"tkCommonDialog", "", "tkinter.commondialog", ""},
	{"tkFileDialog", "", "tkinter.filedialog", ""},
	{"tkFont", "", "tkinter.font", ""},
	{"tkMessageBox", "", "tkinter.messagebox", ""},
	{"tkSimpleDialog", "", "tkinter.simpledialog", ""},
	{"ttk", "", "tkinter.ttk", ""},
	{"urllib", "ContentTooShortError", "urllib.error", "ContentTooShortError"},
	{"urllib", "getproxies", "urllib.request", "getproxies"},
	{"urllib", "pathname2url", "urllib.request", "pathname2url"},
	{"urllib", "quote", "urllib.parse", "quote"},
	{"urllib", "quote_plus", "urllib.parse", "quote_plus"},
	{"urllib", "unquote", "urllib.parse", "unquote"},
	{"urllib", "unquote_plus", "urllib.parse", "unquote_plus"},
	{"urllib", "url2pathname", "urllib.request", "url2pathname"},
	{"urllib", "urlcleanup", "urllib.request", "urlcleanup"},
	{"urllib", "urlencode", "urllib.parse", "urlencode"},
	{"urllib", "urlopen", "urllib.request", "urlopen"},
	{"urllib", "urlretrieve", "urllib.request", "urlretrieve"},
	{"urllib2", "", "urllib.request", ""},
	{"urllib2", "HTTPError", "urllib.error", "HTTPError"},
	{"urllib2", "URLError", "urllib.error", "URLError"},
	{"urlparse", "", "urllib.parse", ""},
	{"whichdb", "", "dbm", ""},
	{"whichdb", "whichdb", "dbm", "whichdb"},
	{"xmlrpclib", "", "xmlrpc.client", ""},
};

static const struct row to_python2[] = {
	{"_bz2", "", "bz2", ""},
	{"_dbm", "", "dbm", ""},
	{"_dummy_thread", "", "dummy_thread", ""},
	{"_functools", "", "functools", ""},
	{"_functools", "reduce", "__builtin__", "reduce"},
	{"_gdbm", "", "gdbm", ""},
	{"_markupbase", "", "markupbase", ""},
	{"_pickle", "", "pickle", ""},
	{"_socket", "socket", "socket", "_socketobject"},
	{"_thread", "", "thread", ""},
	{"builtins", "", "__builtin__", ""},
	{"builtins", "ArithmeticError", "exceptions", "ArithmeticError"},
	{"builtins", "AssertionError", "exceptions", "AssertionError"},
	{"builtins", "AttributeError", "exceptions", "AttributeError"},
	{"builtins", "BaseException", "exceptions", "BaseException"},
	{"builtins", "BrokenPipeError", "exceptions", "OSError"},
	{"builtins", "BufferError", "exceptions", "BufferError"},
	{"builtins", "BytesWarning", "exceptions", "BytesWarning"},
	{"builtins", "ChildProcessError", "exceptions", "OSError"},
	{"builtins", "ConnectionAbortedError", "exceptions", "OSError"},
	{"builtins", "ConnectionError", "exceptions", "OSError"},
	{"builtins", "ConnectionRefusedError", "exceptions", "OSError"},
	{"builtins", "ConnectionResetError", "exceptions", "OSError"},
	{"builtins", "DeprecationWarning", "exceptions", "DeprecationWarning"},
	{"builtins", "EOFError", "exceptions", "EOFError"},
	{"builtins", "EnvironmentError", "exceptions", "EnvironmentError"},
	{"builtins", "Exception", "exceptions", "Exception"},
	{"builtins", "FileExistsError", "exceptions", "OSError"},
	{"builtins", "FileNotFoundError", "exceptions", "OSError"},
	{"builtins", "FloatingPointError", "exceptions", "FloatingPointError"},
	{"builtins", "FutureWarning", "exceptions", "FutureWarning"},
	{"builtins", "GeneratorExit", "exceptions", "GeneratorExit"},
	{"builtins", "IOError", "exceptions", "IOError"},
	{"builtins", "ImportError", "exceptions", "ImportError"},
	{"builtins", "ImportWarning", "exceptions", "ImportWarning"},
	{"builtins", "IndentationError", "exceptions", "IndentationError"},
	{"builtins", "IndexError", "exceptions", "IndexError"},
	{"builtins", "InterruptedError", "exceptions", "OSError"},
	{"builtins", "IsADirectoryError", "exceptions", "OSError"},
	{"builtins", "KeyError", "exceptions", "KeyError"},
	{"builtins", "KeyboardInterrupt", "exceptions", "KeyboardInterrupt"},
	{"builtins", "LookupError", "exceptions", "LookupError"},
	{"builtins", "MemoryError", "exceptions", "MemoryError"},
	{"builtins", "ModuleNotFoundError", "exceptions", "ImportError"},
	{"builtins", "NameError", "exceptions", "NameError"},
	{"builtins", "NotADirectoryError", "exceptions", "OSError"},
	{"builtins", "NotImplementedError", "exceptions", "NotImplementedError"},
	{"builtins", "OSError", "exceptions", "OSError"},
	{"builtins", "OverflowError", "exceptions", "OverflowError"},
	{"builtins", "PendingDeprecationWarning", "exceptions", "PendingDeprecationWarning"},
	{"builtins", "PermissionError", "exceptions", "OSError"},
	{"builtins", "ProcessLookupError", "exceptions", "OSError"},
	{"builtins", "ReferenceError", "exceptions", "ReferenceError"},
	{"builtins", "RuntimeError", "exceptions", "RuntimeError"},
	{"builtins", "RuntimeWarning", "exceptions", "RuntimeWarning"},
	{"builtins", "StopIteration", "exceptions", "StopIteration"},
	{"builtins", "SyntaxError", "exceptions", "SyntaxError"},
	{"builtins", "SyntaxWarning", "exceptions", "SyntaxWarning"},
	{"builtins", "SystemError", "exceptions", "SystemError"},
	{"builtins", "SystemExit", "exceptions", "SystemExit"},
	{"builtins", "TabError", "exceptions", "TabError"},
	{"builtins", "TimeoutError", "exceptions", "OSError"},
	{"builtins", "TypeError", "exceptions", "TypeError"},
	{"builtins", "UnboundLocalError", "exceptions", "UnboundLocalError"},
	{"builtins", "UnicodeDecodeError", "exceptions", "UnicodeDecodeError"},
	{"builtins", "UnicodeEncodeError", "exceptions", "UnicodeEncodeError"},
	{"builtins", "UnicodeError", "exceptions", "UnicodeError"},
	{"builtins", "UnicodeTranslateError", "exceptions", "UnicodeTranslateError"},
	{"builtins", "UnicodeWarning", "exceptions", "UnicodeWarning"},
	{"builtins", "UserWarning", "exceptions", "UserWarning"},
	{"builtins", "ValueError", "exceptions", "ValueError"},
	{"builtins", "Warning", "exceptions", "Warning"},
	{"builtins", "ZeroDivisionError", "exceptions", "ZeroDivisionError"},
	{"builtins", "chr", "__builtin__", "unichr"},
	{"builtins", "filter", "itertools", "ifilter"},
	{"builtins", "int", "__builtin__", "long"},
	{"builtins", "map", "itertools", "imap"},
	{"builtins", "range", "__builtin__", "xrange"},
	{"builtins", "str", "__builtin__", "unicode"},
	{"builtins", "zip", "itertools", "izip"},
	{"collections", "UserDict", "UserDict", "IterableUserDict"},
	{"collections", "UserList", "UserList", "UserList"},
	{"collections", "UserString", "UserString", "UserString"},
	{"collections.abc", "", "_abcoll", ""},
	{"configparser", "", "ConfigParser", ""},
	{"copyreg", "", "copy_reg", ""},
	{"dbm", "", "anydbm", ""},
	{"dbm", "whichdb", "whichdb", "whichdb"},
	{"dbm.bsd", "", "dbhash", ""},
	{"dbm.dumb", "", "dumbdbm", ""},
	{"dbm.gnu", "", "gdbm", ""},
	{"dbm.ndbm", "", "dbm", ""},
	{"functools", "reduce", "__builtin__", "reduce"},
	{"html.entities", "", "htmlentitydefs", ""},
	{"html.parser", "", "HTMLParser", ""},
	{"http.client", "", "httplib", ""},
	{"http.cookiejar", "", "cookielib", ""},
	{"http.cookies", "", "Cookie", ""},
	{"http.server", "", "BaseHTTPServer", ""},
	{"http.server", "CGIHTTPRequestHandler", "CGIHTTPServer", "CGIHTTPRequestHandler"},
	{"http.server", "SimpleHTTPRequestHandler", "SimpleHTTPServer", "SimpleHTTPRequestHandler"},
	{"itertools", "filterfalse", "itertools", "ifilterfalse"},
	{"itertools", "zip_longest", "itertools", "izip_longest"},
	{"multiprocessing.connection", "Connection", "_multiprocessing", "Connection"},
	{"multiprocessing.context", "AuthenticationError", "multiprocessing", "AuthenticationError"},
	{"multiprocessing.context", "BufferTooShort", "multiprocessing", "BufferTooShort"},
	{"multiprocessing.context", "Process", "multiprocessing.process", "Process"},
	{"multiprocessing.context", "ProcessError", "multiprocessing", "ProcessError"},
	{"multiprocessing.context", "TimeoutError", "multiprocessing", "TimeoutError"},
	{"multiprocessing.popen_fork", "Popen", "multiprocessing.forking", "Popen"},
	{"queue", "", "Queue", ""},
	{"reprlib", "", "repr", ""},
	{"socket", "fromfd", "_socket", "fromfd"},
	{"socketserver", "", "SocketServer", ""},
	{"subprocess", "", "commands", ""},
	{"sys", "intern", "__builtin__", "intern"},
	{"test.support", "", "test.test_support", ""},
	{"tkinter", "", "Tkinter", ""},
	{"tkinter.colorchooser", "", "tkColorChooser", ""},
	{"tkinter.commondialog", "", "tkCommonDialog", ""},
	{"tkinter.constants", "", "Tkconstants", ""},
	{"tkinter.dialog", "", "Dialog", ""},
	{"tkinter.dnd", "", "Tkdnd", ""},
	{"tkinter.filedialog", "", "tkFileDialog", ""},
	{"tkinter.filedialog", "FileDialog", "FileDialog", "FileDialog"},
	{"tkinter.filedialog", "LoadFileDialog", "FileDialog", "LoadFileDialog"},
	{"tkinter.filedialog", "SaveFileDialog", "FileDialog", "SaveFileDialog"},
	{"tkinter.font", "", "tkFont", ""},
	{"tkinter.messagebox", "", "tkMessageBox", ""},
	{"tkinter.scrolledtext", "", "ScrolledText", ""},
	{"tkinter.simpledialog", "", "tkSimpleDialog", ""},
	{"tkinter.simpledialog", "SimpleDialog", "SimpleDialog", "SimpleDialog"},
	{"tkinter.ttk", "", "ttk", ""},
	{"urllib.error", "ContentTooShortError", "urllib", "ContentTooShortError"},
	{"urllib.error", "HTTPError", "urllib2", "HTTPError"},
	{"urllib.error", "URLError", "urllib2", "URLError"},
	{"urllib.parse", "", "urlparse", ""},
	{"urllib.parse", "quote", "urllib", "quote"},
	{"urllib.parse", "quote_plus", "urllib", "quote_plus"},
	{"urllib.parse", "unquote", "urllib", "unquote"},
	{"urllib.parse", "unquote_plus", "urllib", "unquote_plus"},
	{"urllib.parse", "urlencode", "urllib", "urlencode"},
	{"urllib.request", "", "urllib2", ""},
	{"urllib.request", "getproxies", "urllib", "getproxies"},
	{"urllib.request", "pathname2url", "urllib", "pathname2url"},
	{"urllib.request", "url2pathname", "urllib", "url2pathname"},
	{"urllib.request", "urlcleanup", "urllib", "urlcleanup"},
	{"urllib.request", "urlopen", "urllib", "urlopen"},
	{"urllib.request", "urlretrieve", "urllib", "urlretrieve"},
	{"urllib.robotparser", "", "robotparser", ""},
	{"winreg", "", "_winreg", ""},
	{"xmlrpc.client", "", "xmlrpclib", ""},
	{"xmlrpc.server", "", "SimpleXMLRPCServer", ""},
	{"xmlrpc.server", "DocCGIXMLRPCRequestHandler", "DocXMLRPCServer", "DocCGIXMLRPCRequestHandler"},
	{"xmlrpc.server", "DocXMLRPCRequestHandler", "DocXMLRPCServer", "DocXMLRPCRequestHandler"},
	{"xmlrpc.server", "DocXMLRPCServer", "DocXMLRPCServer", "DocXMLRPCServer"},
	{"xmlrpc.server", "ServerHTMLDoc", "DocXMLRPCServer", "ServerHTMLDoc"},
	{"xmlrpc.server", "XMLRPCDocGenerator", "DocXMLRPCServer", "XMLRPCDocGenerator"},
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static int compare(const char *text, size_t size, const char *other)
{
	size_t length = strlen(other);
	int order = memcmp(text, other, size < length ? size : length);

	return order ? order : (size > length) - (size < length);
}

static const struct row *find(const struct row *rows, size_t count,
			      const struct xp_pickle_name *name, size_t name_size)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t at = low + (high - low) / 2;
		int order = compare(name->module, name->module_size, rows[at].module);
		if (order == 0)
			order = compare(name->name, name_size, rows[at].name);
		if (order == 0)
			return &rows[at];
		if (order < 0)
			high = at;
		else
			low = at + 1;
	}
	return NULL;
}

static bool map(const struct row *rows, size_t count, struct xp_pickle_name *name)
{
	const struct row *row = find(rows, count, name, name->name_size);
	bool whole = !row || !*row->name;

	if (!row)
		row = find(rows, count, name, 0);
	if (!row)
		return false;
	name->module = row->to_module;
	name->module_size = strlen(row->to_module);
	if (!whole) {
		name->name = row->to_name;
		name->name_size = strlen(row->to_name);
	}
	return true;
}

bool xp_pickle_name_to_python3(struct xp_pickle_name *name)
{
	return map(to_python3, COUNT(to_python3), name);
}

bool xp_pickle_name_to_python2(struct xp_pickle_name *name)
{
	return map(to_python2, COUNT(to_python2), name);
}
