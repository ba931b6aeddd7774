/* What venv puts into an environment as python.exe: starts the interpreter that pyvenv.cfg names, tells it where it
   was started from, and lives and ends with it, as the launcher of python.org does. */

#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#define LONGEST 4096

static wchar_t self[LONGEST], config[LONGEST], line[LONGEST], interpreter[LONGEST];

static int read_config(void)
{
    FILE *file;
    wcscpy(config, self);
    *wcsrchr(config, L'\\') = 0;
    *(wcsrchr(config, L'\\') + 1) = 0;
    wcscat(config, L"pyvenv.cfg");
    file = _wfopen(config, L"rt, ccs=UTF-8");
    if (!file)
        return 0;
    while (fgetws(line, LONGEST, file))
        swscanf(line, L"executable = %4095l[^\n]", interpreter);
    fclose(file);
    return interpreter[0] != 0;
}

int wmain(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    STARTUPINFOW start = {0};
    PROCESS_INFORMATION process;
    HANDLE job = CreateJobObjectW(NULL, NULL);
    DWORD code = 1;

    GetModuleFileNameW(NULL, self, LONGEST);
    if (!read_config()) {
        fwprintf(stderr, L"%ls names no interpreter\n", config);
        return 106;
    }
    SetEnvironmentVariableW(L"__PYVENV_LAUNCHER__", self);
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    GetStartupInfoW(&start);
    if (!CreateProcessW(interpreter, GetCommandLineW(), NULL, NULL, TRUE, 0, NULL, NULL, &start, &process)) {
        fwprintf(stderr, L"cannot start %ls: error %lu\n", interpreter, GetLastError());
        return 101;
    }
    AssignProcessToJobObject(job, process.hProcess);
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    return (int)code;
}
